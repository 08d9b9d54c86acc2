import type { Scheme } from '../../../../../shared/scheme.ts';
import type { WeightPlans, TensorPlan } from '../../../../../shared/plan.ts';
import type { PagedBytes } from '../read/paged-bytes.ts';
import type { GraphRecord, LitertIndex, OperatorRecord } from '../read/records.ts';
import { restoredBy, type LitertTensor } from '../read/tensors.ts';
import { overflowsFloat16 } from './overflow.ts';
import { whyUntouchable } from './untouchable.ts';

/** An open model, as far as planning looks at it. */
export interface LitertModel {
  readonly index: LitertIndex;
  readonly tensors: readonly LitertTensor[];
  readonly source: PagedBytes;
}

/**
 * The operators that XNNPACK (tf.lite 2.21) runs only when weight and bias are both restored from float16, or
 * neither is; other kernels, two times slower, run the rest (test/reference/litert_delegate.py). TRANSPOSE_CONV
 * takes any two.
 */
const PAIRED: ReadonlySet<string> = new Set(['CONV_2D', 'DEPTHWISE_CONV_2D', 'FULLY_CONNECTED']);

/** Values of a bias that are read while planning; more are no bias of a layer. */
export const MAX_BIAS_ELEMENTS = 1 << 20;

const HALF: Scheme = { kind: 'cast', dtype: 'float16' };
/** Why a tensor is not float16. */
export const OVERFLOW_REASON = 'holds values over 65504, the largest of float16';

const REASON = 'float16 as its weight is, so that XNNPACK runs the operator';

/** The plan with float16 for each float32 bias all of whose operators get a float16 weight. */
export function withHalfBiases(model: LitertModel, plan: WeightPlans): WeightPlans {
  if (!plan.some(({ scheme }) => scheme?.dtype === 'float16')) return plan;
  const changed = new Map<number, TensorPlan>();
  for (const bias of biasesOfHalfWeights(model, plan)) {
    const entry = plan[bias.ref.id]!;
    if (entry.scheme !== null || !isPlainBias(bias)) continue;
    const isKept = overflowsFloat16(model.source, bias);
    const reason = isKept ? OVERFLOW_REASON : REASON;
    changed.set(bias.ref.id, { ...entry, scheme: isKept ? null : HALF, reason });
  }
  return changed.size === 0 ? plan : plan.map((entry) => changed.get(entry.tensor) ?? entry);
}

function isPlainBias(bias: LitertTensor): boolean {
  const { dtype, fixed, quantization, elements } = bias.ref;
  if (dtype !== 'float32' || fixed !== undefined || quantization !== null) return false;
  return elements > 0 && elements <= MAX_BIAS_ELEMENTS && whyUntouchable(bias) === null;
}

/** The stored biases that only operators with float16 weights take. */
function biasesOfHalfWeights(model: LitertModel, plan: WeightPlans): LitertTensor[] {
  const uses = new Map<LitertTensor, number>();
  const stored = storedByGraph(model.tensors);
  for (const graph of model.index.graphs) {
    const tensors = stored.get(graph);
    if (tensors === undefined) continue;
    for (const operator of graph.operators) {
      const bias = isPaired(operator) ? tensors.direct.get(operator.inputs[2] ?? -1) : undefined;
      if (bias !== undefined && isHalf(operator.inputs[1]!, tensors, plan))
        uses.set(bias, (uses.get(bias) ?? 0) + 1);
    }
  }
  return [...uses]
    .filter(([bias, count]) => count === bias.stored.reduce((sum, at) => sum + at.uses.length, 0))
    .map(([bias]) => bias);
}

/** Whether XNNPACK looks at the types of an operator's weight and bias together. */
export function isPaired({ op, isCustom }: OperatorRecord): boolean {
  return !isCustom && PAIRED.has(op);
}

/** Stored tensors of a graph, by the index of a tensor that holds them and of one that a DEQUANTIZE makes of them. */
interface StoredInGraph {
  readonly direct: Map<number, LitertTensor>;
  readonly restored: Map<number, LitertTensor>;
}

function storedByGraph(tensors: readonly LitertTensor[]): Map<GraphRecord, StoredInGraph> {
  const found = new Map<GraphRecord, StoredInGraph>();
  for (const tensor of tensors)
    for (const { graph, index, uses } of tensor.stored) {
      const known = found.get(graph) ?? { direct: new Map(), restored: new Map() };
      known.direct.set(index, tensor);
      for (const { operator } of uses) {
        const restored = restoredBy(operator);
        if (restored !== null) known.restored.set(restored, tensor);
      }
      found.set(graph, known);
    }
  return found;
}

/** Whether an export stores the tensor that an operator takes as float16, behind a DEQUANTIZE. */
function isHalf(tensor: number, { direct, restored }: StoredInGraph, plan: WeightPlans): boolean {
  const stored = direct.get(tensor);
  if (stored !== undefined) return plan[stored.ref.id]!.scheme?.dtype === 'float16';
  const behind = restored.get(tensor);
  return behind?.ref.dtype === 'float16' && plan[behind.ref.id]!.scheme === null;
}
