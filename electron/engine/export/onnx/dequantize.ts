import type { DtypeName } from '../../../../shared/dtypes.ts';
import { isFloatCast, type Scheme } from '../../../../shared/recipe.ts';

/** How a stored tensor becomes float again in the graph. */
export interface Restore {
  readonly opType: 'DequantizeLinear' | 'Cast';
  readonly domain: '' | 'com.microsoft';
}

/**
 * The opset from which ai.onnx restores a scheme: DequantizeLinear takes one scale from 10, one per
 * channel from 13; Cast takes float16 from 6 on (its `to` was a string before), bfloat16 from 13.
 */
export function restoreOpset(scheme: Scheme, scales: number): number {
  if (isFloatCast(scheme.dtype)) return scheme.dtype === 'bfloat16' ? 13 : 6;
  return scales === 1 ? 10 : 13;
}

/**
 * The operator that turns stored codes back into float at the ai.onnx opset in force, or why there
 * is none. Below DequantizeLinear's opset there is com.microsoft's, which takes an axis at any.
 */
export function restoreOperator(
  scheme: Scheme,
  scales: number,
  opset: number,
): Restore | { readonly refused: string } {
  const needed = restoreOpset(scheme, scales);
  if (!isFloatCast(scheme.dtype))
    return { opType: 'DequantizeLinear', domain: opset >= needed ? '' : 'com.microsoft' };
  if (opset >= needed) return { opType: 'Cast', domain: '' };
  return {
    refused: `Cast takes ${scheme.dtype} from opset ${needed} on, and the file is at opset ${opset}`,
  };
}

/** The type that DequantizeLinear gives: that of its float32 scale. A source of another type needs a Cast behind it. */
export const RESTORED_DTYPE: DtypeName = 'float32';
