import { piecesLength, type Layout } from '../../../export/layout.ts';
import type { FileSource } from '../../../source.ts';
import type { ActivationCodes } from '../../format.ts';
import type { OnnxGraph } from '../read/graph.ts';
import { applyEdits, type Edit } from './edits.ts';
import { field, nodeMessage } from './messages.ts';
import { nodeField } from './replace-weight.ts';

/** A copy of a model whose values between operators are not rounded to codes; stored codes stay. */
export function exactActivations(
  graph: OnnxGraph,
  files: readonly FileSource[],
  codes: readonly ActivationCodes[],
): Layout {
  const edits = codes.map(({ operator, exact, restored }): Edit => {
    const [{ frame, name }, home] = [graph.nodes[operator]!, graph.graphs[operator]!];
    const [input, output] = [exact, restored].map((value) => graph.values[value]!.name);
    const node = nodeMessage({
      ...{ opType: 'Identity', domain: '', name, integers: {} },
      ...{ inputs: [input!], outputs: [output!] },
    });
    const pieces = field(nodeField(home), [node]);
    return { start: frame.start, end: frame.end, pieces, frame: home.frame };
  });
  for (const operator of unusedBy(graph, codes)) {
    const [{ frame }, home] = [graph.nodes[operator]!, graph.graphs[operator]!];
    edits.push({ start: frame.start, end: frame.end, pieces: [], frame: home.frame });
  }
  const pieces = applyEdits(edits, files[0]!.size);
  return { pieces, beside: [], bytes: piecesLength(pieces), quantized: [], refused: [] };
}

/** Operators that make codes which nothing else takes. */
function unusedBy(graph: OnnxGraph, codes: readonly ActivationCodes[]): ReadonlySet<number> {
  const replaced = new Set(codes.map(({ operator }) => operator));
  const unused = new Set<number>();
  for (const { operator } of codes) {
    const [input] = graph.operators[operator]!.inputs;
    const { producer, consumers, isOutput } =
      graph.values[input?.kind === 'value' ? input.value : -1]!;
    if (!isOutput && consumers.every((each) => replaced.has(each.operator))) unused.add(producer!);
  }
  return unused;
}
