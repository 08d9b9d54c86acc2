import { packedBytes } from '../../../../../shared/dtypes.ts';
import { scaleCount } from '../../../../../shared/plan.ts';
import { isCentred, storageDtype, type Scheme } from '../../../../../shared/scheme.ts';
import { RESTORED } from '../fit/fit.ts';
import { makeTable, makeVector, type TableNode, type VectorNode } from '../read/nodes.ts';
import { typeOfDtype } from '../read/tensor-types.ts';
import type { LitertTensor } from '../read/tensors.ts';
import type { Piece } from '../../../export/layout.ts';

/** The operator that makes float32 of a stored weight, and its version that takes the type (tensorflow's op_version.cc). */
export interface Restore {
  readonly op: 'DEQUANTIZE' | 'CAST';
  readonly version: number;
}

/** How a weight is stored in the export. */
export interface StoredForm {
  readonly scheme: Scheme;
  /** TensorType's number. */
  readonly type: number;
  readonly isPerChannel: boolean;
  /** The axis of the scales; null where there is one scale. */
  readonly scaleAxis: number | null;
  readonly quantization: TableNode | null;
  /** What goes into the buffer. */
  readonly codes: Piece;
  readonly restore: Restore;
}

/** Zero points of 0, one vector for all tensors with as many channels. */
export class Zeros {
  private readonly made = new Map<number, VectorNode>();

  of(count: number): VectorNode {
    const known = this.made.get(count) ?? makeVector(new BigInt64Array(count));
    this.made.set(count, known);
    return known;
  }
}

/** How a scheme that fitLitert gave is stored. */
export function storedForm({ ref }: LitertTensor, scheme: Scheme, zeros: Zeros): StoredForm {
  const dtype = storageDtype(scheme.dtype);
  const restored = RESTORED[dtype]!;
  const scales = scaleCount(scheme, ref);
  const isPerChannel = scales > 1;
  const length = packedBytes(dtype, ref.elements);
  return {
    scheme,
    type: typeOfDtype(dtype)!,
    isPerChannel,
    scaleAxis: isPerChannel ? ref.axis : null,
    quantization: scheme.kind === 'cast' ? null : quantizationOf(ref, scheme, scales, zeros),
    codes: { kind: 'tensor', tensor: ref.id, part: 'codes', length },
    restore: {
      op: restored.op ?? 'DEQUANTIZE',
      version: isPerChannel ? restored.channel! : restored.tensor,
    },
  };
}

/** The scales and zero points of an integer scheme. */
function quantizationOf(
  ref: LitertTensor['ref'],
  scheme: Scheme,
  scales: number,
  zeros: Zeros,
): TableNode {
  return makeTable('QuantizationParameters', {
    scale: partVector(ref.id, 'scale', 'float32', scales),
    zero_point: isCentred(scheme)
      ? zeros.of(scales)
      : partVector(ref.id, 'zeroPoint', 'int64', scales),
    ...(scales > 1 && ref.axis! > 0 ? { quantized_dimension: ref.axis! } : {}),
  });
}

function partVector(
  tensor: number,
  part: 'scale' | 'zeroPoint',
  scalar: 'float32' | 'int64',
  count: number,
): VectorNode {
  const width = scalar === 'int64' ? 8 : 4;
  return {
    kind: 'vector',
    scalar,
    isString: false,
    count,
    pieces: [{ kind: 'tensor', tensor, part, length: width * count }],
    alignment: width,
  };
}
