import type { ValuePlan } from '../../../../../shared/plan.ts';
import { piecesLength, type Layout } from '../../../export/layout.ts';
import type { FileSource } from '../../../source.ts';
import type { OnnxGraph } from '../read/graph.ts';
import { FreshNames } from '../read/names.ts';
import type { OnnxIndex } from '../read/records.ts';
import type { OnnxTensor } from '../read/stored.ts';
import { applyEdits } from './edits.ts';
import { Opsets } from './opsets.ts';
import { staticEdits } from './static-nodes.ts';

/** A copy of a model that rounds values to codes and takes them back as float; weights and operators stay. */
export function roundedActivations(
  model: {
    readonly index: OnnxIndex;
    readonly graph: OnnxGraph;
    readonly tensors: readonly OnnxTensor[];
  },
  files: readonly FileSource[],
  activations: readonly ValuePlan[],
): Layout {
  const { index, graph, tensors } = model;
  const [names, opsets] = [new FreshNames(index), new Opsets(index, new Map())];
  const { edits } = staticEdits({
    computing: { graph, activations, operators: [] },
    ...{ tensors, names, opsets, restores: new Map(), irVersion: index.irVersion },
  });
  const { size } = files[0]!;
  const pieces = applyEdits([...edits, ...opsets.edits(size)], size);
  return { pieces, beside: [], bytes: piecesLength(pieces), quantized: [], refused: [] };
}
