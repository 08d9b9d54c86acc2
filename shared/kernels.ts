import { addTo } from './lists.ts';

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
  for (const group of kernels.floatNodes) addTo(byReason, group.reason, group);
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
  const said = (of: 'weights' | 'activations', words: (count: number) => string): string[] => {
    const groups = unfusedNodes.filter((group) => group.of === of);
    return groups.length === 0 ? [] : [`${words(sum(groups))} ${listed(groups)}`];
  };
  return [
    ...said('weights', (count) =>
      count === 1
        ? '1 DequantizeLinear node restores a weight to floats at each run, for'
        : `${count} DequantizeLinear nodes restore weights to floats at each run, for`,
    ),
    ...said('activations', (count) =>
      count === 1
        ? '1 Q/DQ pair of activations is not fused, before'
        : `${count} Q/DQ pairs of activations are not fused, before`,
    ),
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

/** Said where onnxruntime quantizes on its own what the export keeps in float. */
export const ROUNDS_INPUTS =
  'onnxruntime runs weight-only MatMul nodes as MatMulNBits, which quantizes their inputs to int8.';

/** Under this ratio of times, two runs are equally fast within what a measurement tells. */
const SLOWER = 1.05;

const QUANTIZES_INPUTS = /^(DynamicQuantize|MatMulInteger|ConvInteger|MatMulNBits)/;

/**
 * Why an export is slower than its original, in one sentence; null where it is not, or nothing is known.
 * @param write how the ratio of the times is written
 */
export function whySlower(
  {
    msBefore,
    msAfter,
    kernels,
  }: {
    readonly msBefore: number;
    readonly msAfter: number;
    readonly kernels: Kernels | null;
  },
  write = (ratio: number): string => ratio.toFixed(2),
): string | null {
  if (kernels === null || !(msAfter > msBefore * SLOWER)) return null;
  const dynamic = kernels.integerNodes.filter(({ op }) => QUANTIZES_INPUTS.test(op));
  const blocks = kernels.floatNodes.filter(({ op }) => op === 'MatMulNBits');
  const causes = [
    ...(kernels.unfused === 0 ? [] : [unfusedWords(kernels)]),
    ...(dynamic.length === 0 ? [] : [`inputs are quantized at each run, for ${listed(dynamic)}`]),
    ...(blocks.length === 0
      ? []
      : [`weights are restored in blocks at each run, for ${listed(blocks)}`]),
  ];
  const otherwise =
    kernels.integer === 0
      ? 'no node works on integers'
      : `${kernels.float} of ${kernels.integer + kernels.float} nodes work on floats, and values are converted between them`;
  const ratio = write(msAfter / msBefore);
  return `The export takes ${ratio} times the original's time: ${causes.join('; ') || otherwise}.`;
}
