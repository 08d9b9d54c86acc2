import type { Model, TensorRef } from '../../../shared/model.ts';
import type { ModelGraph } from '../../../shared/graph.ts';
import type { PlannedTensor } from '../../../shared/plan.ts';

/** Which tensors of a source and of its prepared copy are the same, by number. */
export interface Counterparts {
  /** Of the prepared copy's tensors. */
  readonly sourceOf: ReadonlyMap<number, number>;
  /** Of the source's tensors. */
  readonly preparedOf: ReadonlyMap<number, number>;
}

/** A model and its graph. */
export interface Graphed {
  readonly model: Model;
  graph(): ModelGraph;
}

/**
 * What onnxruntime 1.30 puts before the names of weights and biases that it makes in fusions (conv_bn_fusion.cc,
 * conv_mul_fusion.cc, conv_add_fusion.cc, matmul_bn_fusion.cc).
 */
const FUSED =
  /^(?:ConvBnFusion_(?:BN_B|W|B)|ConvMulFusion_(?:Mul_B|W|B)|ConvAddFusion_(?:Add_B|B)|MatMulBnFusion_GemmB)_/;
/** What it puts behind a name that is taken (Graph::GenerateNodeArgName). */
const TAKEN = /_token_\d+$/;

/** Matches the tensors of a prepared copy to those of its source by their names, without what fusions add to them. */
export function counterparts(source: Model, prepared: Model): Counterparts {
  const byName = new Map(source.tensors.map((tensor) => [keyOf(tensor, tensor.name), tensor]));
  const sourceOf = new Map<number, number>();
  const preparedOf = new Map<number, number>();
  for (const tensor of prepared.tensors) {
    const found = sourceNames(tensor.name)
      .map((name) => byName.get(keyOf(tensor, name)))
      .find((each) => each !== undefined && each.elements === tensor.elements);
    if (found === undefined || preparedOf.has(found.id)) continue;
    sourceOf.set(tensor.id, found.id);
    preparedOf.set(found.id, tensor.id);
  }
  return { sourceOf, preparedOf };
}

function keyOf({ graph }: TensorRef, name: string): string {
  return `${graph}\n${name}`;
}

/** The name itself, and the same without what each fusion added, the last one first. */
function sourceNames(name: string): readonly string[] {
  const names = [name];
  for (let left = name; ; names.push(left)) {
    const shorter = left.replace(TAKEN, '').replace(FUSED, '');
    if (shorter === left) return names;
    left = shorter;
  }
}

/** The prepared copy's tensors as rules see them: by the names and layers that their source has. */
export function namedAsSource(
  source: Model,
  prepared: Model,
  { sourceOf }: Counterparts,
): readonly PlannedTensor[] {
  return prepared.tensors.map((tensor) => {
    const original = source.tensors[sourceOf.get(tensor.id) ?? -1];
    return original === undefined
      ? tensor
      : { ...tensor, name: original.name, layer: original.layer };
  });
}

/** Operators that scale or shift what one before them makes, which fusions take into its weights. */
const SCALING: ReadonlySet<string> = new Set(['BatchNormalization', 'Mul', 'Add']);

/** Why a tensor of the source is not in the prepared copy, in a sentence's words. */
export function whyGone(source: Graphed): (tensor: number) => string {
  const { operators, values } = source.graph();
  const folds = new Map<number, string>();
  for (const { op, inputs } of operators) {
    if (!SCALING.has(op)) continue;
    const before = inputs.flatMap((input) =>
      input?.kind === 'value' ? (values[input.value]?.producer ?? []) : [],
    );
    const into = before.map((id) => operators[id]!).find((each) => /^(Conv|MatMul)/.test(each.op));
    if (into === undefined) continue;
    for (const input of inputs)
      if (input?.kind === 'tensor') folds.set(input.tensor, `folded into ${into.op} ${into.name}`);
  }
  return (tensor) =>
    folds.get(tensor) ??
    (source.model.tensors[tensor]?.role === 'weight'
      ? 'computed into another tensor when the model was prepared'
      : 'folded into other constants when the model was prepared');
}
