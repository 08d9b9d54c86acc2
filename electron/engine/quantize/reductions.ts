/** What is told of the finite ones among values; NaN and infinities are left out. */
export interface ObservedSums {
  /** Infinity and -Infinity where no value is finite. Whether a 0 is -0 is not said. */
  readonly min: number;
  readonly max: number;
  readonly sum: number;
  readonly squares: number;
  /** How many are finite. */
  readonly finite: number;
}

/** Equal bins from -limit to limit. A value on an edge belongs to the bin above, but for the last. */
export interface EdgedBins {
  readonly limit: number;
  /** One more than there are bins, ascending. */
  readonly edges: Float32Array;
}

/**
 * Bins whose edges are those of numpy.linspace in float32, by which numpy.histogram counts: every second edge of
 * 4096 bins is one of the 2048 bins of onnxruntime's calibration.
 */
export function edgedBins(limit: number, bins: number): EdgedBins {
  const edges = new Float32Array(bins + 1);
  const step = Math.fround(Math.fround(2 * limit) / bins);
  for (let bin = 0; bin < bins; bin++) edges[bin] = Math.fround(bin * step) - limit;
  edges[bins] = limit;
  return { limit, edges };
}

/**
 * What calibration makes of an activation's values. There are two of each: the SIMD kernels, and their reference
 * implementation (kernels/reference/), whose results theirs must equal; but sums in another order.
 */
export interface Reductions {
  sums(values: Float32Array): ObservedSums;
  /** Adds the finite values to the counts of their bins; those beyond the limits to the first or the last. */
  addCounts(values: Float32Array, bins: EdgedBins, counts: Float64Array): void;
}
