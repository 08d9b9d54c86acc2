import type { DtypeName } from '../../../../shared/dtypes.ts';
import { isFloatCast, type Scheme } from '../../../../shared/recipe.ts';

/** How a stored tensor becomes float again in the graph. */
export interface Restore {
  readonly opType: 'DequantizeLinear' | 'Cast';
  readonly domain: '' | 'com.microsoft';
}

/**
 * The operator that turns stored codes back into float at the ai.onnx opset in force, or why there is none.
 * DequantizeLinear: opset 10 per tensor, 13 per axis; below, com.microsoft's, which takes an axis at any opset.
 * Cast: takes float16 from opset 6 on (its `to` was a string before), bfloat16 from opset 13.
 */
export function restoreOperator(
  scheme: Scheme,
  scales: number,
  opset: number,
): Restore | { readonly refused: string } {
  if (isFloatCast(scheme.dtype)) {
    const needed = scheme.dtype === 'bfloat16' ? 13 : 6;
    if (opset < needed)
      return {
        refused: `Cast takes ${scheme.dtype} from opset ${needed} on, and the file is at opset ${opset}`,
      };
    return { opType: 'Cast', domain: '' };
  }
  const needed = scales === 1 ? 10 : 13;
  return { opType: 'DequantizeLinear', domain: opset >= needed ? '' : 'com.microsoft' };
}

/** The type that DequantizeLinear gives: that of its float32 scale. A source of another type needs a Cast behind it. */
export const RESTORED_DTYPE: DtypeName = 'float32';
