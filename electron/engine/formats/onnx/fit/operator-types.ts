import type { NodeRecord } from '../read/records.ts';
import types from './operator-types.json';

/** By operator: an opset, and the types of the inputs and outputs that its nodes have from there on. */
const operators = types.operators as unknown as Readonly<
  Record<string, readonly (readonly [since: number, inputs: string, outputs: string])[]>
>;

/** One character for each input or output, as operator-types.json explains them. */
export interface Formals {
  input(at: number): string;
  output(at: number): string;
}

/** What ai.onnx at an opset says of the types of a node, or null where it says nothing. */
export function formalsOf(node: NodeRecord, opset: number): Formals | null {
  if (node.domain !== '' || !Object.hasOwn(operators, node.opType)) return null;
  const row = operators[node.opType]!.findLast(([since]) => since <= opset);
  if (row === undefined) return null;
  return { input: (at) => symbolAt(row[1], at), output: (at) => symbolAt(row[2], at) };
}

/** A star says that the symbol before it repeats; past the end there is nothing known. */
function symbolAt(symbols: string, at: number): string {
  if (symbols.endsWith('*') && at >= symbols.length - 2) return symbols.at(-2)!;
  return symbols[at] ?? '-';
}

/** Whether a symbol is a type parameter that takes float and float16 alike. */
export function takesHalf(symbol: string): boolean {
  return symbol >= 'A' && symbol <= 'Z';
}
