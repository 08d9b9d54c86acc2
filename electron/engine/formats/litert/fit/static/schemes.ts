import {
  BASE_ACTIVATIONS,
  type ActivationScheme,
  type Recipe,
} from '../../../../../../shared/recipe.ts';

/** A recipe's activations as LiteRT's kernels take them: int8, or int16 with zero point 0; null keeps them in float. */
export function kernelActivations({ activations }: Recipe): ActivationScheme | null {
  const asked = activations === undefined ? BASE_ACTIVATIONS : activations;
  return asked === null ? null : kernelScheme(asked);
}

/** uint8 codes stand for what int8 codes that are 128 less do, so that nothing is lost. */
function kernelScheme(asked: ActivationScheme): ActivationScheme {
  return asked.dtype.endsWith('16')
    ? { ...asked, dtype: 'int16', symmetric: true }
    : { ...asked, dtype: 'int8' };
}
