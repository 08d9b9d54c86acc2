import type { SourceDtype } from '../../../../shared/dtypes.ts';
import type { Values } from '../../quantize/values.ts';
import { forEachRun, type Grouping } from '../../quantize/layout.ts';
import type { GroupRanges, ValueSums } from '../../quantize/passes.ts';

/** The least magnitude of each type that is not subnormal. */
export const SMALLEST_NORMAL: Readonly<Record<SourceDtype, number>> = {
  float64: 2 ** -1022,
  float32: 2 ** -126,
  float16: 2 ** -14,
  bfloat16: 2 ** -126,
};

export function emptyRanges(groups: number): GroupRanges {
  return {
    min: new Float64Array(groups).fill(Infinity),
    max: new Float64Array(groups).fill(-Infinity),
  };
}

export function addRanges(
  values: Values,
  start: number,
  grouping: Grouping,
  ranges: GroupRanges,
): void {
  const { min, max } = ranges;
  forEachRun(grouping, start, values.length, (from, to, first, step) => {
    if (step === 0) return addRange(values, from, to, first, ranges);
    for (let index = from, group = first; index < to; index++, group++) {
      const value = values[index]!;
      if (value - value !== 0) continue;
      if (value < min[group]!) min[group] = value;
      if (value > max[group]!) max[group] = value;
    }
  });
}

function addRange(
  values: Values,
  from: number,
  to: number,
  group: number,
  ranges: GroupRanges,
): void {
  let low = ranges.min[group]!;
  let high = ranges.max[group]!;
  for (let index = from; index < to; index++) {
    const value = values[index]!;
    // NaN and the infinities are the values whose difference with themselves is not 0.
    if (value - value !== 0) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  ranges.min[group] = low;
  ranges.max[group] = high;
}

export type MutableSums = { -readonly [K in keyof ValueSums]: ValueSums[K] };

export function emptySums(): MutableSums {
  return {
    finite: 0,
    sum: 0,
    zeros: 0,
    subnormals: 0,
    nans: 0,
    infinities: 0,
    firstNonFinite: null,
  };
}

export function addSums(values: Values, start: number, tiny: number, sums: MutableSums): void {
  let [sum, zeros, small, others] = [0, 0, 0, 0];
  for (let index = 0; index < values.length; index++) {
    const value = values[index]!;
    if (value - value !== 0) {
      others++;
      sums.firstNonFinite ??= start + index;
      if (Number.isNaN(value)) sums.nans++;
      else sums.infinities++;
      continue;
    }
    sum += value;
    if (value < tiny && value > -tiny) {
      small++;
      if (value === 0) zeros++;
    }
  }
  sums.finite += values.length - others;
  sums.sum += sum;
  sums.zeros += zeros;
  sums.subnormals += small - zeros;
}
