import type { Equalization } from './equalization.ts';
import type { BestRange, ChosenRange } from './ranges.ts';
import type { ActivationScheme } from './recipe.ts';
import type { Histogram, RangeCandidate } from './report.ts';

/** The output of a weight's operator in mode static: what calibration observed, and how the plan quantizes it. */
export interface LayerActivation {
  /** The weight, by its number in the model that is open. */
  readonly tensor: number;
  /** The value that carries codes: the operator's output, or that of the Relu or Clip behind it. */
  readonly value: string;
  /** The operator that takes the weight, as rules match it: by its name and type. */
  readonly operator: string;
  readonly op: string;
  /** Observed over all samples; null where it was not, or held no finite number. */
  readonly observed: {
    readonly min: number;
    readonly max: number;
    /** Few bins of [min, max], for a row. */
    readonly counts: readonly number[];
  } | null;
  /** How the value is quantized; null where it stays in float. */
  readonly quantized: QuantizedActivation | null;
  /** Why it stays in float, or where its parameters come from if not from its own range; null otherwise. */
  readonly reason: string | null;
}

export interface QuantizedActivation extends ChosenRange {
  readonly scheme: ActivationScheme;
  readonly scale: number;
  readonly zeroPoint: number;
  /** As in ValuePlan. */
  readonly effective?: ChosenRange;
}

/** All that the inspector shows of a layer's output. */
export interface ActivationDetail extends LayerActivation {
  readonly samples: number;
  readonly statistics: {
    readonly mean: number;
    readonly std: number;
    readonly count: number;
    readonly nonFinite: number;
  } | null;
  readonly histogram: Histogram | null;
  /** What each method would choose under the operator's scheme, found by its own search. */
  readonly ranges: readonly ActivationRange[];
  /** The signal to quantization noise of the observed values under the plan's parameters, dB; null in float. */
  readonly sqnrDb: number | null;
}

export interface ActivationRange extends RangeCandidate {
  /** The signal to quantization noise that the range gives, dB, by the centres of the histogram's bins. */
  readonly sqnrDb: number | null;
}

/** Operators that compute in float in mode static, for one reason. */
export interface FloatGroup {
  readonly reason: string;
  readonly operators: number;
  /** The types of those operators, in the order that they first occur. */
  readonly ops: readonly string[];
}

/** What mode static does to the values and operators of a model. */
export interface StaticOutline {
  /** Values between operators that are quantized. */
  readonly activations: number;
  readonly integerOperators: number;
  readonly operators: number;
  /** Most operators first. */
  readonly float: readonly FloatGroup[];
  /** As in Plan. */
  readonly bestRange?: BestRange;
  /** What became of the recipe's wish for equalized weights. */
  readonly equalization?: Equalization;
}

/** What a calibration found. */
export interface Calibrated {
  readonly samples: number;
  /** Values whose ranges were observed; 0 for modes that leave activations in float. */
  readonly values: number;
  /** Values that could not be observed. */
  readonly skipped: number;
  /** Weights whose inputs were observed, so that their codes can be chosen by them. */
  readonly weights: number;
  /** Whether the samples were random numbers. */
  readonly isRandom: boolean;
  readonly warnings: readonly string[];
  /** Mode static: which recipes that equalize weights are of a copy with equalized ones. */
  readonly equalized?: EqualizedCopies;
}

/** For whom a calibrated model has a copy with equalized weights. */
export interface EqualizedCopies {
  /** Whether one was asked for when the model was calibrated. */
  readonly isAsked: boolean;
  /** Recipes that always equalize weights. */
  readonly always: boolean;
  /** Recipes that have what exports lose decide. */
  readonly byOutputs: boolean;
}

/** What a model is calibrated by: mode static has its own, and all other modes share one. */
export interface Calibrations {
  readonly static: Calibrated | null;
  readonly others: Calibrated | null;
}
