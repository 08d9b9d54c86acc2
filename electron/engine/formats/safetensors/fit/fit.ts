import { dtypeOf, isSourceDtype } from '../../../../../shared/dtypes.ts';
import { schemeBytes, type TensorPlan } from '../../../../../shared/plan.ts';
import type { ExportMode } from '../../../../../shared/exports.ts';
import { defaultOf, type Recipe } from '../../../../../shared/recipe.ts';
import type { Scheme } from '../../../../../shared/scheme.ts';
import { noGain } from '../../no-gain.ts';
import { isConverted, type SafetensorsTensor } from '../read/tensors.ts';

/** How a tensor is stored, or why it is not stored otherwise. */
export type Fit =
  | { readonly scheme: Scheme; readonly mayOverflow?: true }
  | { readonly refused: string };

/**
 * How a mode stores a tensor; null where nothing is asked of it. Mode cast also casts tensors that the recipe does
 * not quantize, and stores values that become infinite as they are, as model.to(dtype) does.
 */
export function fitSafetensors(
  entry: TensorPlan,
  tensor: SafetensorsTensor,
  mode: ExportMode,
  recipe: Recipe,
): Fit | null {
  const scheme = mode === 'cast' ? castOf(entry, tensor, recipe) : entry.scheme;
  if (scheme === null) return null;
  const isCast = scheme.kind === 'cast';
  if (mode !== 'qdq' && !isCast)
    return { refused: `the ${mode} mode stores float types only, not ${scheme.dtype}` };
  const { ref } = tensor;
  const bytes = schemeBytes(scheme, ref);
  if (bytes >= ref.bytes) return { refused: noGain(ref.bytes, bytes) };
  return { scheme, ...(mode === 'cast' ? { mayOverflow: true } : {}) };
}

/** The scheme of a tensor where all floats are cast: what its rule says, else the recipe's default. */
function castOf(
  { scheme, byRule }: TensorPlan,
  { ref }: SafetensorsTensor,
  recipe: Recipe,
): Scheme | null {
  const isCastable = isConverted(ref) && isSourceDtype(ref.dtype) && ref.elements > 0;
  const wanted = defaultOf(recipe);
  if (byRule || wanted?.kind !== 'cast' || !isCastable) return scheme;
  return dtypeOf(ref.dtype).bits > dtypeOf(wanted.dtype).bits ? wanted : null;
}
