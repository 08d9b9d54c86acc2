import type { Scheme } from './scheme.ts';

/** What each layer is measured by: it alone is quantized, all but it are, or one after the other. */
export const LEFT_IN_FLOAT = ['others', 'it', 'both'] as const;

export type LeftInFloat = (typeof LEFT_IN_FLOAT)[number];

/** How the outputs of a model depend on one layer, under a recipe. SQNR is in dB: Infinity where they are equal. */
export interface LayerSensitivity {
  readonly name: string;
  /** Of its weights, by number. */
  readonly tensors: readonly number[];
  readonly scheme: Scheme;
  /** SQNR of the outputs when it alone is quantized; null where that was not measured. */
  readonly onlySqnrDb: number | null;
  /** SQNR of the outputs when all but it are quantized; null where that was not measured. */
  readonly withoutSqnrDb: number | null;
}

export interface SensitivityTable {
  /** SQNR of the outputs when all layers are quantized. */
  readonly allSqnrDb: number;
  /** Layers that were left out, as their own outputs lose less than those of the others. */
  readonly unmeasured: number;
  /** In the order of execution. */
  readonly layers: readonly LayerSensitivity[];
}

/** What the outputs gain when a layer stays in float, in dB; null where that was not measured. */
export function gainOf(
  { withoutSqnrDb }: Pick<LayerSensitivity, 'withoutSqnrDb'>,
  allSqnrDb: number,
): number | null {
  return withoutSqnrDb === null ? null : withoutSqnrDb - allSqnrDb;
}
