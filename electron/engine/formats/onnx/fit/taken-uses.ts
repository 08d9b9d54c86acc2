import { granularityOf, isCentred, type Scheme } from '../../../../../shared/scheme.ts';
import type { ValueTaker } from '../../../../../shared/plan.ts';
import { isOutput } from '../read/graph-values.ts';
import type { OnnxGraph } from '../read/graph.ts';
import type { NodeRecord } from '../read/records.ts';
import type { OnnxTensor, Stored, Use } from '../read/stored.ts';
import {
  integerForm,
  isNBitsWeight,
  nbitsShape,
  type IntegerUse,
  type PlannedWeight,
} from './integer-uses.ts';
import type { OnnxExport } from './request.ts';

/** The operators that com.microsoft has. */
export const MICROSOFT_FORMS: ReadonlySet<IntegerUse['form']> = new Set([
  'DynamicQuantizeMatMul',
  'DynamicQuantizeLSTM',
  'MatMulNBits',
]);

/** The uses of a weight that an operator on its codes takes over in a mode. */
export function usesTakenOver(
  request: OnnxExport,
  weight: PlannedWeight & { readonly scheme: Scheme },
  opset: number,
): IntegerUse[] {
  if (request.mode === 'dynamic') return integerUses(request, weight, opset);
  return request.mode === 'nbits' ? nbitsUses(weight, opset) : [];
}

/**
 * The inputs at which operators on integers take a weight from a graph around theirs, in mode static. onnxruntime fuses a
 * DequantizeLinear only with an operator of the same graph, so that the weight is restored there once more.
 */
export function usesInside(
  { computing }: Pick<OnnxExport, 'computing'>,
  { stored }: OnnxTensor,
): readonly ValueTaker[] {
  if (computing === null || computing === undefined) return [];
  const { graph, operators } = computing;
  return stored.uses.flatMap(({ record, graph: home, input, isDirect }) => {
    if (home === stored.graph || !isDirect) return [];
    const operator = operatorOf(graph, record);
    return operator !== undefined && operators[operator]?.isInteger === true
      ? [{ operator, input }]
      : [];
  });
}

const operatorsByGraph = new WeakMap<OnnxGraph, ReadonlyMap<NodeRecord, number>>();

function operatorOf(graph: OnnxGraph, node: NodeRecord): number | undefined {
  const known = operatorsByGraph.get(graph) ?? new Map(graph.nodes.map((each, id) => [each, id]));
  operatorsByGraph.set(graph, known);
  return known.get(node);
}

/** MatMulNBits wants codes in an order that no other operator takes: all uses or none. */
export function nbitsUses(
  { tensor, scheme }: PlannedWeight & { readonly scheme: Scheme },
  opset: number,
): IntegerUse[] {
  if (scheme.kind !== 'block') return [];
  const { ref, stored } = tensor;
  const nbits = nbitsShape(tensor, scheme);
  if (nbits === null || isNeeded(tensor)) return [];
  if (!stored.uses.every((use) => isNBitsWeight(use, tensor, opset))) return [];
  return stored.uses.map(({ record, graph, input }) => ({
    form: 'MatMulNBits',
    node: record,
    graph,
    tensor: ref.id,
    input,
    shape: ref.shape,
    isPerChannel: false,
    hasZeroPoint: !scheme.symmetric,
    nbits,
  }));
}

/** The uses of a weight that run on integers. Conv wants its scales in a shape that no other use takes: all or none. */
function integerUses(
  request: OnnxExport,
  weight: PlannedWeight & { readonly scheme: Scheme },
  opset: number,
): IntegerUse[] {
  const { tensor, scheme } = weight;
  const { ref, stored } = tensor;
  const forms = stored.uses.map((use) =>
    request.floating?.has(use.record) === true
      ? null
      : integerForm(use, weight, opset, (input) => weightAt(request, use, input)),
  );
  const isAllConv = forms.every((form) => form === 'ConvInteger') && !isNeeded(tensor);
  return stored.uses.flatMap((use, at): IntegerUse[] => {
    const form = forms[at]!;
    if (form === null || (form === 'ConvInteger' && !isAllConv)) return [];
    const isLstm = form === 'DynamicQuantizeLSTM';
    const hasZeroPoint = isLstm || !isCentred(scheme);
    return [
      {
        form,
        node: use.record,
        graph: use.graph,
        tensor: ref.id,
        input: use.input,
        shape: ref.shape,
        isPerChannel: granularityOf(scheme) === 'channel',
        hasZeroPoint,
        nbits: null,
      },
    ];
  });
}

const tensorsByStored = new WeakMap<readonly OnnxTensor[], ReadonlyMap<Stored, OnnxTensor>>();

/** A model's tensors by their records. */
function byStored(tensors: readonly OnnxTensor[]): ReadonlyMap<Stored, OnnxTensor> {
  const known = tensorsByStored.get(tensors);
  if (known !== undefined) return known;
  const made = new Map(tensors.map((tensor) => [tensor.stored, tensor]));
  tensorsByStored.set(tensors, made);
  return made;
}

/** The stored weight that a node takes at another input, and what is planned for it. */
function weightAt({ tensors, plan }: OnnxExport, use: Use, input: number): PlannedWeight | null {
  const name = use.inputs[input] ?? '';
  const stored = use.scope.stored(name);
  if (stored === undefined || stored.name !== name) return null;
  const tensor = byStored(tensors).get(stored);
  const entry = tensor === undefined ? undefined : plan[tensor.ref.id];
  return tensor === undefined ? null : { tensor, scheme: entry?.scheme ?? null };
}

/** Whether a weight is wanted under its name, whatever its uses take. */
export function isNeeded({ stored }: OnnxTensor): boolean {
  if (stored.isHandedOn) return true;
  return isOutput(stored.graph, stored.name);
}
