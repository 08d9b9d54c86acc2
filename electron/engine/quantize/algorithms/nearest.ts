import { restoredValue, unclippedCode } from '../../../../shared/affine.ts';
import { emptyCodes, type Problem, type Solution } from './algorithm.ts';

/**
 * The code nearest to each value, by the scales of the recipe's range method. Kernels make these codes without
 * storing them; this is for comparing other algorithms with them on the same moments.
 */
export function nearest({ values, matrix, job, format, moments, check }: Problem): Solution {
  const { rows, columns } = matrix;
  const { scale, zeroPoint } = job.parameters;
  const { qmin, qmax } = format.clip;
  const codes = emptyCodes(values.length, format);
  const errors = new Float64Array(columns);
  let error = 0;
  for (let row = 0; row < rows; row++) {
    if (row % 16 === 0) check();
    for (let column = 0; column < columns; column++) {
      const index = matrix.index(row, column);
      const group = matrix.group(row, column);
      const [unit, zero] = [scale[group]!, zeroPoint[group]!];
      const exact = unclippedCode(values[index]!, unit, zero, format.rounding);
      const code = Math.min(qmax, Math.max(qmin, exact));
      codes[index] = code;
      errors[column] = values[index]! - restoredValue(code, unit, zero);
    }
    error += squaredOutput(errors, moments);
  }
  return { parameters: job.parameters, codes, error };
}

/** The mean square of what a row of weights adds up to over the inputs of symmetric moments. */
export function squaredOutput(row: Float64Array, moments: Float32Array): number {
  const columns = row.length;
  let sum = 0;
  for (let i = 0; i < columns; i++) {
    const at = i * columns;
    let product = 0;
    for (let j = i + 1; j < columns; j++) product += moments[at + j]! * row[j]!;
    sum += row[i]! * (2 * product + moments[at + i]! * row[i]!);
  }
  return sum;
}
