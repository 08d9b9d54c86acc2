/** Nodes of one operator: how many, and the names of the first few. */
export interface NodeGroup {
  readonly op: string;
  readonly count: number;
  readonly names: readonly string[];
}

/**
 * What onnxruntime runs a model on, from the graph that it writes after its own optimizations. Subgraphs
 * count. Casts, shape arithmetic, control flow and changes of memory layout are in `total` only.
 */
export interface Kernels {
  /** Nodes that take or make integer codes: integer kernels, and what moves or selects codes between them. */
  readonly integer: number;
  /** Nodes that work on floats. */
  readonly float: number;
  /** All nodes. */
  readonly total: number;
  /**
   * Q/DQ pairs that no integer kernel took over, counted by their DequantizeLinear: it restores a stored
   * weight, or the output of a QuantizeLinear, to floats. Where floats become codes for an integer kernel
   * and the other way round, Q and DQ are needed and not counted.
   */
  readonly unfused: number;
  readonly integerNodes: readonly NodeGroup[];
  readonly floatNodes: readonly (NodeGroup & { readonly reason: FloatReason })[];
  /** `op` is the operator that takes the floats; `names` are of the DequantizeLinear nodes. */
  readonly unfusedNodes: readonly (NodeGroup & { readonly of: 'weights' | 'activations' })[];
}

export type FloatReason =
  | 'no integer kernel takes its quantized input'
  | 'only its weights are quantized'
  | 'computes in float32 from quantized weights'
  | 'is not quantized';

/** What a model runs on, in sentences. */
export function kernelLines(kernels: Kernels): readonly string[] {
  const { integer, float, total, unfused } = kernels;
  const byReason = new Map<string, NodeGroup[]>();
  for (const group of kernels.floatNodes)
    byReason.set(group.reason, [...(byReason.get(group.reason) ?? []), group]);
  const what = integer === 0 ? '' : ` (${listed(kernels.integerNodes)})`;
  return [
    `Of ${total} nodes that onnxruntime runs, ${integer} work on integers${what} and ${float} on floats.`,
    ...(unfused === 0 ? [] : [`${unfusedWords(kernels)}.`]),
    ...(integer === 0 && unfused === 0
      ? []
      : [...byReason].map(
          ([reason, groups]) => `On floats, ${WHY[reason as FloatReason]}: ${listed(groups)}.`,
        )),
  ];
}

const WHY: Readonly<Record<FloatReason, string>> = {
  'no integer kernel takes its quantized input':
    'as no integer kernel takes their quantized inputs',
  'only its weights are quantized': 'as only weights are quantized',
  'computes in float32 from quantized weights': 'with weights restored block by block',
  'is not quantized': 'not quantized',
};

/** Which Q/DQ pairs are left over, without a period. */
function unfusedWords({ unfusedNodes }: Kernels): string {
  const of = (kind: 'weights' | 'activations'): readonly NodeGroup[] =>
    unfusedNodes.filter((group) => group.of === kind);
  const [weights, activations] = [of('weights'), of('activations')];
  return [
    ...(weights.length === 0
      ? []
      : [
          `${sum(weights)} DequantizeLinear nodes restore weights to floats at each run, for ${listed(weights)}`,
        ]),
    ...(activations.length === 0
      ? []
      : [
          `${sum(activations)} Q/DQ pairs of activations are not fused, before ${listed(activations)}`,
        ]),
  ].join('; ');
}

function sum(groups: readonly NodeGroup[]): number {
  return groups.reduce((total, { count }) => total + count, 0);
}

/** How many operators a sentence names. */
const NAMED_OPERATORS = 6;

/** "Conv 28, FusedConv 4". */
function listed(groups: readonly NodeGroup[]): string {
  const shown = groups.slice(0, NAMED_OPERATORS).map(({ op, count }) => `${op} ${count}`);
  return groups.length > NAMED_OPERATORS ? `${shown.join(', ')}, …` : shown.join(', ');
}
