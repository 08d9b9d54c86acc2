import { packedBytes, type DtypeName } from '../../../../shared/dtypes.ts';
import { scaleCount } from '../../../../shared/plan.ts';
import type { ExportMode } from '../../../../shared/protocol.ts';
import { isFloatCast, storageDtype, type Scheme } from '../../../../shared/recipe.ts';
import {
  makeTable,
  makeVector,
  type TableNode,
  type VectorNode,
} from '../../formats/litert/nodes.ts';
import { typeOfDtype } from '../../formats/litert/tensor-types.ts';
import type { LitertTensor } from '../../formats/litert/tensors.ts';
import type { Piece } from '../layout.ts';

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
  /** Bytes of codes and scales, and of zero points that are not shared. */
  readonly bytes: number;
  readonly restore: Restore;
}

/**
 * The types that DEQUANTIZE takes in tf.lite 2.21, per tensor and per channel (test/reference/check_litert.py); of
 * bfloat16 CAST makes float32. It fails on uint4, uint16 and int32 whatever the version ("dequantize.cc:65"), and on
 * int16 per channel ("Type 7 not supported for per-channel"); CAST takes all of them, but scales nothing.
 */
const RESTORED: Readonly<
  Partial<
    Record<
      DtypeName,
      { readonly op?: 'CAST'; readonly tensor: number; readonly channel: number | null }
    >
  >
> = {
  float16: { tensor: 3, channel: null },
  bfloat16: { op: 'CAST', tensor: 7, channel: null },
  int8: { tensor: 2, channel: 5 },
  uint8: { tensor: 1, channel: 5 },
  int16: { tensor: 3, channel: null },
  int4: { tensor: 6, channel: 6 },
};

/** Zero points of 0, one vector for all tensors with as many channels. */
export class Zeros {
  private readonly made = new Map<number, VectorNode>();

  of(count: number): VectorNode {
    const known = this.made.get(count) ?? makeVector(new BigInt64Array(count));
    this.made.set(count, known);
    return known;
  }
}

type Refused = { readonly refused: string };

/** How a scheme is stored in LiteRT, or why it cannot be. */
export function storedForm(
  tensor: LitertTensor,
  asked: Scheme,
  mode: ExportMode,
  zeros: Zeros,
): StoredForm | Refused {
  const isCast = isFloatCast(asked.dtype);
  if (mode === 'float' && !isCast)
    return { refused: `the float mode stores float types only, not ${asked.dtype}` };
  const dtype = storageDtype(asked.dtype);
  const type = typeOfDtype(dtype);
  const restored = RESTORED[dtype];
  if (type === null) return { refused: `LiteRT has no ${dtype}` };
  if (restored === undefined) return { refused: `LiteRT's DEQUANTIZE takes no ${dtype}` };
  const op = restored.op ?? 'DEQUANTIZE';
  const { id, elements } = tensor.ref;
  const length = packedBytes(dtype, elements);
  const codes = { kind: 'tensor', tensor: id, part: 'codes', length } as const;
  if (!isCast) {
    const quantized = quantizedForm(tensor, asked, mode, zeros);
    if ('refused' in quantized) return quantized;
    const { isPerChannel, parameterBytes, ...form } = quantized;
    const version = isPerChannel ? restored.channel : restored.tensor;
    if (version === null) return { refused: `LiteRT's DEQUANTIZE takes ${dtype} per tensor only` };
    const bytes = length + parameterBytes;
    const scaleAxis = isPerChannel ? tensor.ref.axis : null;
    return { ...form, type, isPerChannel, scaleAxis, codes, bytes, restore: { op, version } };
  }
  return {
    scheme: asked,
    type,
    isPerChannel: false,
    scaleAxis: null,
    quantization: null,
    codes,
    bytes: length,
    restore: { op, version: restored.tensor },
  };
}

/** The scales and zero points of an integer scheme. */
function quantizedForm(
  { ref }: LitertTensor,
  asked: Scheme,
  mode: ExportMode,
  zeros: Zeros,
):
  | (Pick<StoredForm, 'scheme' | 'isPerChannel' | 'quantization'> & { parameterBytes: number })
  | Refused {
  const dtype = storageDtype(asked.dtype);
  // FULLY_CONNECTED reads float16 scales of blocks in XNNPACK alone; its plain kernel, and DEQUANTIZE, give wrong
  // numbers without a word (run in tf.lite 2.21 with and without that delegate).
  if (typeof asked.granularity === 'object')
    return { refused: "LiteRT's DEQUANTIZE takes one scale a tensor or a channel, not blocks" };
  if (dtype === 'int16' && !asked.symmetric)
    return { refused: "LiteRT's int16 has zero point 0, so it is symmetric only" };
  // Hybrid kernels add products of pairs in 16 bits, which -128 times -128 would overflow.
  const scheme = mode === 'dynamic' && mayRun(asked) ? { ...asked, narrowRange: true } : asked;
  const scales = scaleCount(scheme, ref);
  const isPerChannel = scales > 1;
  const isCentred = scheme.symmetric && dtype.startsWith('int');
  const quantization = makeTable('QuantizationParameters', {
    scale: partVector(ref.id, 'scale', 'float32', scales),
    zero_point: isCentred ? zeros.of(scales) : partVector(ref.id, 'zeroPoint', 'int64', scales),
    ...(isPerChannel && ref.axis! > 0 ? { quantized_dimension: ref.axis! } : {}),
  });
  const parameterBytes = 4 * scales + (isCentred ? 0 : 8 * scales);
  return { scheme, isPerChannel, quantization, parameterBytes };
}

/** Whether there are kernels that take the codes of a scheme. */
function mayRun({ dtype, symmetric }: Scheme): boolean {
  return (dtype === 'int8' || dtype === 'int4') && symmetric;
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
