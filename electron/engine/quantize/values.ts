import type { SourceDtype } from '../../../shared/dtypes.ts';

/** A run of values as they are computed with: float64 stays itself, all else is exact in float32. */
export type Values = Float32Array | Float64Array;

/** A tensor's values, read in bounded runs. */
export interface ValueSource {
  readonly elements: number;
  readonly dtype: SourceDtype;
  /**
   * Calls back with consecutive runs of values from first to last; can be repeated.
   * What a run's array holds is good only until the callback returns. Throws to cancel.
   */
  forEachChunk(visit: (values: Values, start: number) => void): void;
}
