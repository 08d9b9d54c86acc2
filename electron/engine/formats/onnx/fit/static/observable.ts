import { valueKey } from '../../../../../../shared/graph.ts';
import type { Observable, ObservedInBody } from '../../../format.ts';
import { mainValues } from '../../../main-values.ts';
import type { OnnxGraph } from '../../read/graph.ts';
import type { GraphRecord, OnnxIndex } from '../../read/records.ts';
import type { OnnxTensor } from '../../read/stored.ts';
import { FreshNames } from '../../read/names.ts';

/** Operators that multiply a value with a stored weight, input 1. */
const WEIGHTED: ReadonlySet<string> = new Set([
  ...['Conv', 'ConvTranspose', 'MatMul', 'Gemm'],
  ...['LSTM', 'GRU', 'RNN'],
]);
/** Operators behind them whose outputs are quantized in place of theirs. */
const CLIPPING: ReadonlySet<string> = new Set(['Relu', 'Clip']);

/** From this opset on Scan stacks outputs along one new axis; before, along one behind the batch. */
const SCAN_OPSET = 9;

/**
 * The values that can be observed: all of the main graph, and in the bodies of If, Loop and Scan what operators take and
 * make that have a float32 weight. Other values of bodies are not observed: their type is not known before the model runs.
 */
export function observable(
  index: OnnxIndex,
  graph: OnnxGraph,
  tensors: readonly OnnxTensor[],
): Observable {
  const names = new FreshNames(index);
  const opset = index.opsets.find(({ domain }) => domain === '')?.version ?? 0;
  const inBodies = new Map<string, ObservedInBody>();
  const skipped = new Map<string, string>();
  for (const id of bodyValues(graph, tensors)) {
    const value = graph.values[id]!;
    const key = valueKey(value);
    const home = placeOf(graph.homes[id]!, graph, opset);
    // A name that the file has, or that another value is known by, does not tell which value is meant.
    const isTaken = names.make(key) !== key;
    if (isTaken) skipped.set(key, 'another value of the model is known by its name');
    else if ('reason' in home) skipped.set(key, home.reason);
    else inBodies.set(key, { name: key, body: value.graph, ...home });
  }
  for (const key of skipped.keys()) inBodies.delete(key);
  return {
    values: mainValues(graph),
    inBodies: [...inBodies.values()],
    skipped: [...skipped].map(([name, reason]) => ({ name, reason })),
  };
}

function bodyValues(graph: OnnxGraph, tensors: readonly OnnxTensor[]): ReadonlySet<number> {
  const found = new Set<number>();
  const add = (value: number | null | undefined): void => {
    if (value !== null && value !== undefined && graph.values[value]!.graph !== '')
      found.add(value);
  };
  for (const { op, domain, graph: path, inputs, outputs } of graph.operators) {
    const [input, weight] = inputs;
    if (path === '' || domain !== '' || !WEIGHTED.has(op) || weight?.kind !== 'tensor') continue;
    if (tensors[weight.tensor]!.ref.dtype !== 'float32') continue;
    if (input?.kind === 'value') add(input.value);
    const [output] = outputs;
    add(output);
    for (const { operator } of graph.values[output ?? -1]?.consumers ?? []) {
      const after = graph.operators[operator]!;
      if (CLIPPING.has(after.op) && after.domain === '') add(after.outputs[0]);
    }
  }
  return found;
}

/** What runs a graph, or why its values are not observed. */
function placeOf(
  home: GraphRecord,
  graph: OnnxGraph,
  opset: number,
): Pick<ObservedInBody, 'loops' | 'isConditional'> | { readonly reason: string } {
  let [loops, isInBranch, isConditional] = [0, false, false];
  for (let at = home; graph.runners.has(at);) {
    const runner = graph.runners.get(at)!;
    const { op, domain } = graph.operators[runner]!;
    const isLoop = op === 'Loop' || (op === 'Scan' && opset >= SCAN_OPSET);
    if (domain !== '' || (op !== 'If' && !isLoop))
      return { reason: `it is in a body of ${op}, whose values are not observed` };
    if (isLoop) loops++;
    isConditional ||= isLoop && isInBranch;
    isInBranch ||= op === 'If';
    at = graph.graphs[runner]!;
  }
  return { loops, isConditional };
}
