import { encodePlainly } from '../kernels/reference/plain-encode.ts';
import type { EncodeJob } from './passes.ts';
import type { ValueSource } from './values.ts';

/** How the elements of a weight are multiplied and added up: for each output, the elements of one row or column. */
export interface SumsOfWeight {
  readonly outputs: number;
  /** Outputs fall into so many equal groups, each with multipliers of its own. */
  readonly groups: number;
  /** Whether the elements of an output are a column of the matrix that the weight is; a row otherwise. */
  readonly isColumns: boolean;
  /** Those of a group after those of another. */
  readonly multipliers: Float64Array;
}

/** For each output: the sum over its elements of what codes stand for, less the value, times the element's multiplier. */
export function weightExcess(
  source: ValueSource,
  job: EncodeJob,
  { outputs, groups, isColumns, multipliers }: SumsOfWeight,
): Float64Array {
  const sums = new Float64Array(outputs);
  const length = multipliers.length / groups;
  const perGroup = outputs / groups;
  encodePlainly(source, job, (values, start, _, restored) => {
    for (let at = 0; at < values.length; at++) {
      const index = start + at;
      const output = isColumns ? index % outputs : Math.floor(index / length);
      const element = isColumns ? Math.floor(index / outputs) : index % length;
      const multiplier = multipliers[Math.floor(output / perGroup) * length + element]!;
      sums[output] = sums[output]! + (restored[at]! - values[at]!) * multiplier;
    }
  });
  return sums;
}
