import { dtypeOf, type DtypeName } from '../../../../../shared/dtypes.ts';
import type { TensorRef } from '../../../../../shared/model.ts';
import { scaleCount, type ScaleDtype } from '../../../../../shared/plan.ts';
import { isCentred, isInBlocks, storageDtype, type Scheme } from '../../../../../shared/scheme.ts';

/** How a stored tensor becomes float again in the graph. */
export interface Restore {
  /** Blocks: multiplied out (block-restore.ts). */
  readonly opType: 'DequantizeLinear' | 'Cast' | 'Blocks';
  readonly domain: '' | 'com.microsoft';
}

/** Says why the file stays below an opset, and names the operators that hold it there (Opsets.whyBelow). */
export type WhyBelow = (opset: number) => string;

/** The opset from which arithmetic broadcasts as numpy does. */
const BROADCAST_OPSET = 7;

/** The opset from which Cast takes a float type; before 6 its `to` was a string. */
export const CAST_OPSETS = {
  float16: 6,
  bfloat16: 13,
  float8_e4m3fn: 19,
  float8_e5m2: 19,
} as const;

/**
 * The opset from which ai.onnx restores a scheme. DequantizeLinear takes int8, uint8 and int32 with
 * one scale from 10 and one per channel from 13; 4- and 16-bit types and blocks from 21.
 */
function restoreOpset(scheme: Scheme, scales: number): number {
  if (scheme.kind === 'cast') return CAST_OPSETS[scheme.dtype];
  const { bits } = dtypeOf(storageDtype(scheme.dtype));
  if (isInBlocks(scheme) || bits === 4 || bits === 16) return 21;
  return scales === 1 ? 10 : 13;
}

/**
 * The opsets at which more ways to restore a scheme open up: that of its own operator; of arithmetic
 * that multiplies out blocks where 21 is out of reach; of the Cast to a type other than float32.
 */
export function usefulOpsets(
  scheme: Scheme,
  ref: Pick<TensorRef, 'shape' | 'axis' | 'elements' | 'dtype'>,
): readonly number[] {
  const useful = [restoreOpset(scheme, scaleCount(scheme, ref))];
  if (isInBlocks(scheme)) useful.push(BROADCAST_OPSET);
  if (ref.dtype !== RESTORED_DTYPE) useful.push(CAST_OPSETS.float16);
  return useful;
}

/**
 * The operator that turns stored codes back into float at the ai.onnx opset in force, or why there
 * is none. Below DequantizeLinear's opset there is com.microsoft's, which takes each integer type
 * per tensor and per axis at any opset; blocks are multiplied out.
 */
export function restoreOperator(
  scheme: Scheme,
  scales: number,
  opset: number,
  whyBelow: WhyBelow,
): Restore | { readonly refused: string } {
  if (scheme.dtype === 'int32' && !isCentred(scheme))
    return { refused: 'DequantizeLinear takes int32 with zero point 0 only, so symmetric' };
  const needed = restoreOpset(scheme, scales);
  const isCast = scheme.kind === 'cast';
  if (opset >= needed) return { opType: isCast ? 'Cast' : 'DequantizeLinear', domain: '' };
  if (isCast)
    return {
      refused: `Cast takes ${scheme.dtype} from opset ${needed} on, and ${whyBelow(needed)}`,
    };
  if (isInBlocks(scheme)) {
    if (opset < BROADCAST_OPSET)
      return {
        refused: `Mul spreads the scales of blocks from opset ${BROADCAST_OPSET} on, and ${whyBelow(BROADCAST_OPSET)}`,
      };
    return { opType: 'Blocks', domain: 'com.microsoft' };
  }
  return { opType: 'DequantizeLinear', domain: 'com.microsoft' };
}

/**
 * The opset from which a Constant may be of a type. onnxruntime holds the Constants of functions to
 * it, and not those of graphs, which it makes initializers first.
 */
export function constantOpset(dtype: DtypeName): number {
  if (dtype === 'float16' || dtype === 'float32' || dtype === 'float64') return 1;
  if (dtype === 'bfloat16') return 13;
  if (dtype.startsWith('float8')) return 19;
  return dtype === 'int4' || dtype === 'uint4' ? 21 : 9;
}

/** The IR version that a stored type came with (onnx.proto: float8 with 9, int4 with 10). */
export function irVersionOf(dtype: DtypeName): number {
  if (dtype === 'int4' || dtype === 'uint4') return 10;
  return dtype === 'float8_e4m3fn' || dtype === 'float8_e5m2' ? 9 : 0;
}

/** DequantizeLinear's scale may be float16 from this opset on, and so is then what it gives. */
const FLOAT16_SCALE_OPSET = 19;

/**
 * The type that a weight's scales are stored in: float16 for a float16 weight where MatMulNBits takes them, or
 * ai.onnx's DequantizeLinear, which gives float16 then. Codes of 16 bits tell more apart than a float16 scale does.
 */
export function scaleDtypeOf(
  scheme: Scheme,
  ref: Pick<TensorRef, 'shape' | 'axis' | 'elements' | 'dtype'>,
  { opset, isNbits }: { readonly opset: number; readonly isNbits: boolean },
): ScaleDtype {
  if (ref.dtype !== 'float16' || scheme.kind === 'cast') return 'float32';
  if (isNbits) return 'float16';
  const needed = Math.max(FLOAT16_SCALE_OPSET, restoreOpset(scheme, scaleCount(scheme, ref)));
  const isWide = dtypeOf(storageDtype(scheme.dtype)).bits > 8;
  return isWide || opset < needed ? 'float32' : 'float16';
}

/** The type that DequantizeLinear gives with float32 scales. A source of another type needs a Cast behind it. */
export const RESTORED_DTYPE: DtypeName = 'float32';
