/** Bins of an observed histogram; two of them are one of onnxruntime's 2048. */
export const HISTOGRAM_BINS = 4096;

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
  /** The value's shape in the first sample. */
  readonly shape: readonly number[];
}

/** What was observed of a model's values. */
export interface Ranges {
  readonly samples: number;
  readonly values: readonly ObservedValue[];
  /** Values that could not be observed, and why. */
  readonly skipped: readonly { readonly name: string; readonly reason: string }[];
}

/** The part of the number line that codes are to span. */
export interface ChosenRange {
  readonly low: number;
  readonly high: number;
}
