import { MAX_BIAS_ELEMENTS } from '../fit/fit-biases.ts';
import { FLOAT32 } from '../read/tensor-types.ts';
import { slotOf } from '../read/operators.ts';
import type { GraphRecord, OperatorRecord } from '../read/records.ts';
import { boundaryOf, restoredBy, type LitertTensor } from '../read/tensors.ts';
import { float16Value } from '../../../../../shared/float16.ts';
import type { PagedBytes } from '../read/paged-bytes.ts';
import type { Piece } from '../../../export/layout.ts';
import type { GraphEdit } from './graph-edit.ts';
import { whyUntouchable } from '../fit/untouchable.ts';

/**
 * float16 biases behind a DEQUANTIZE. LiteRT's XNNPACK delegate (tf.lite 2.21) takes over an operator
 * on int8 weights and then fails to prepare when its bias is restored and not stored as float32; and it
 * leaves an operator on restored int8 weights to slower kernels then. So an operator whose weights become
 * int8 has its bias stored as float32, which changes no value.
 */
export class HalfBiases {
  private readonly restored = new Map<GraphRecord, Map<number, LitertTensor>>();
  private readonly made = new Map<GraphRecord, ReadonlySet<number>>();
  private readonly chosen = new Set<LitertTensor>();

  constructor(tensors: readonly LitertTensor[]) {
    for (const tensor of tensors) {
      if (tensor.ref.dtype !== 'float16' || tensor.ref.role !== 'bias') continue;
      for (const { graph, uses } of tensor.stored) {
        const outputs = this.restored.get(graph) ?? new Map<number, LitertTensor>();
        for (const { operator } of uses) {
          const output = restoredBy(operator);
          if (output !== null) outputs.set(output, tensor);
        }
        this.restored.set(graph, outputs);
      }
    }
  }

  /** Choose the biases of an operator to be widened. @returns whether its bias is, or will be, stored as float32 */
  choose(operator: OperatorRecord, graph: GraphRecord): boolean {
    const biases = this.biasesOf(operator, graph);
    if (biases.some((tensor) => tensor === null || !canWiden(tensor))) return false;
    for (const tensor of biases) this.chosen.add(tensor!);
    return true;
  }

  /** The biases of an operator that are restored; null for one that something else restores. */
  private biasesOf(operator: OperatorRecord, graph: GraphRecord): (LitertTensor | null)[] {
    return operator.inputs.flatMap((tensor, input) => {
      if (tensor < 0) return [];
      const { role } = slotOf(operator, input, graph.tensors[tensor]!.shape.length);
      if (role !== 'bias') return [];
      const half = this.restored.get(graph)?.get(tensor);
      if (half !== undefined) return [half];
      return this.computed(graph).has(tensor) ? [null] : [];
    });
  }

  /** The tensors of a graph that DEQUANTIZE and DENSIFY make. */
  private computed(graph: GraphRecord): ReadonlySet<number> {
    const known =
      this.made.get(graph) ??
      new Set(graph.operators.flatMap(({ op, outputs }) => (RESTORING.has(op) ? outputs : [])));
    this.made.set(graph, known);
    return known;
  }

  /** What becomes of the chosen biases, for whoever asks why they are not quantized. */
  reasons(): { readonly tensor: number; readonly reason: string }[] {
    const reason = 'float32 with the same values, so that XNNPACK takes it beside integer weights';
    return [...this.chosen].map(({ ref }) => ({ tensor: ref.id, reason }));
  }

  /** Store the chosen biases as float32, in place of what restored them; their buffers' bytes by number. */
  widen(edits: readonly GraphEdit[], source: PagedBytes): Map<number, Piece> {
    const pieces = new Map<number, Piece>();
    for (const { stored, buffer, ref } of this.chosen) {
      for (const { graph, index, uses } of stored) {
        const edit = edits[graph.index]!;
        edit.changeTensor(index, { type: FLOAT32 });
        for (const { operator, at } of uses) {
          const output = restoredBy(operator);
          if (output !== null) edit.redirect(output, index);
          edit.drop(at);
        }
      }
      const [{ offset, length } = { offset: 0, length: 0 }] = ref.data.ranges;
      pieces.set(buffer, { kind: 'bytes', bytes: widened(source.read(offset, length)) });
    }
    return pieces;
  }
}

const RESTORING: ReadonlySet<string> = new Set(['DEQUANTIZE', 'DENSIFY']);

function canWiden(tensor: LitertTensor): boolean {
  if (tensor.ref.elements > MAX_BIAS_ELEMENTS || tensor.ref.fixed !== undefined) return false;
  if (whyUntouchable(tensor) !== null) return false;
  return tensor.stored.every(({ graph, uses }) =>
    uses.every(({ operator }) => !boundaryOf(graph).has(restoredBy(operator) ?? -1)),
  );
}

function widened(bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const out = new DataView(new ArrayBuffer(2 * bytes.length));
  for (let at = 0; at < bytes.length; at += 2)
    out.setFloat32(2 * at, float16Value(view.getUint16(at, true)), true);
  return new Uint8Array(out.buffer);
}
