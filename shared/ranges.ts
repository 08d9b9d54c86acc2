import type { Equalization } from './equalization.ts';
import { choosesRange, withRange, type ActivationScheme, type Recipe } from './recipe.ts';
import type { RangeMethod } from './scheme.ts';

/** Bins of an observed histogram; two of them are one of onnxruntime's 2048. */
export const HISTOGRAM_BINS = 4096;

/** The range methods of activations that are compared with one another. */
export const RANGE_METHODS: readonly RangeMethod[] = [
  'minmax',
  { percentile: 99.999 },
  { percentile: 99.99 },
  { percentile: 99.9 },
  'mse',
  'entropy',
];

/** A range method in words. */
export function rangeName(range: RangeMethod): string {
  if (typeof range === 'string') return range;
  return 'clip' in range ? 'clip' : `percentile ${range.percentile}`;
}

/** The range method of activations that calibration chose by a model's outputs, and what each that was tried left of them. */
export interface BestRange {
  readonly range: RangeMethod;
  /** The activations that it was measured for. */
  readonly of: Pick<ActivationScheme, 'dtype' | 'symmetric'>;
  /** Whether nearest codes of weights lost less than those of the recipe's algorithm, and are taken. */
  readonly isNearest: boolean;
  /** Empty where nothing was measured for the recipe's activations, so that its own range stands. */
  readonly tried: readonly TriedRange[];
}

/** Whether a range method was measured for the activations of a recipe. */
export function isMeasuredFor(
  { of }: BestRange,
  { activations }: Pick<Recipe, 'activations'>,
): boolean {
  return of.dtype === activations?.dtype && of.symmetric === activations.symmetric;
}

/** Whether the range method is the recipe's own, which was tried first. */
export function isOwnRange({ range, tried }: BestRange): boolean {
  return JSON.stringify(range) === JSON.stringify(tried[0]?.range ?? range);
}

/** A recipe with what calibration chose for it by the outputs, or with its own range where nothing was chosen. */
export function decidedBy(best: BestRange | undefined, recipe: Recipe): Recipe {
  if (!choosesRange(recipe)) return recipe;
  return best !== undefined && isMeasuredFor(best, recipe)
    ? withRange(recipe, best.range, best.isNearest)
    : withRange(recipe, recipe.activations!.range, false);
}

/** A copy of a model whose outputs were measured. */
export interface TriedRange {
  readonly range: RangeMethod;
  /** Whether its codes of weights are the nearest, and not those of the recipe's algorithm. */
  readonly isNearest: boolean;
  /** SQNR of the outputs, dB; null where they are exact. */
  readonly sqnrDb: number | null;
}

/** What calibration observed of one value, over all samples. */
export interface ObservedValue {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  /** Mean of the squares. */
  readonly power: number;
  /** Elements that were observed, NaN and infinities left out. */
  readonly count: number;
  readonly nonFinite: number;
  /** Counts of equal bins from -limit to limit, where limit is the larger of |min| and |max|. */
  readonly histogram: readonly number[];
  /** Of values that operators multiply with a weight, which adds up their channels. */
  readonly channels?: ObservedChannels | undefined;
}

/** What was observed of the channels of a value, over all samples. */
export interface ObservedChannels {
  /** By channel. */
  readonly means: readonly number[];
  /** The largest magnitude, by channel; files of older versions have none. */
  readonly peaks?: readonly number[] | undefined;
  /** The value's shape in the first sample. */
  readonly shape: readonly number[];
}

/** What was observed of a model's values. */
export interface Ranges {
  readonly samples: number;
  readonly values: readonly ObservedValue[];
  /** Values that could not be observed, and why. */
  readonly skipped: readonly { readonly name: string; readonly reason: string }[];
  /** Where a recipe has the range method chosen by the model's outputs. */
  readonly best?: BestRange | undefined;
  /** Where the values are those of a copy with factors moved between its weights; what became of the wish for one. */
  readonly equalization?: Equalization | undefined;
}

/** Whether ranges are those of a copy with factors moved between its weights. */
export function isEqualized({ equalization }: Pick<Ranges, 'equalization'>): boolean {
  return equalization !== undefined && equalization.layers.length > 0;
}

/** The part of the number line that codes are to span. */
export interface ChosenRange {
  readonly low: number;
  readonly high: number;
}
