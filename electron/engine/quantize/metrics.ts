import { sqnrDb, type TensorReport } from '../../../shared/report.ts';

/**
 * Sums over elements, in float64, of which every error measure is made. An error is dequantized
 * minus original; elements whose original is not finite have none and are left out of all sums.
 */
export interface ErrorSums {
  /** Sum of the squared errors. */
  noise: number;
  /** Sum of original times error. */
  cross: number;
  maxAbsError: number;
}

export function emptyErrorSums(): ErrorSums {
  return { noise: 0, cross: 0, maxAbsError: 0 };
}

/** The error measures of a report, each in the one definition that the product has. */
export type ErrorMeasures = Pick<
  TensorReport,
  'mse' | 'rmse' | 'maxAbsError' | 'sqnrDb' | 'cosine' | 'signal' | 'noise'
>;

/**
 * Measures from sums; all errors are 0 where nothing was measured.
 * @param elements how many elements the sums are over: those that are finite
 * @param signal the sum of the squared originals of these elements
 */
export function measuresOf(sums: ErrorSums, elements: number, signal: number): ErrorMeasures {
  const { noise, cross, maxAbsError } = sums;
  const mse = elements === 0 ? 0 : noise / elements;
  return {
    mse,
    rmse: Math.sqrt(mse),
    maxAbsError,
    sqnrDb: sqnrDb(signal, noise),
    cosine: cosineOf(signal, noise, cross),
    signal,
    noise,
  };
}

/** What is left of a length squared whose parts cancel is rounding when it is less than this of them. */
const ROUNDING = 1e-12;

/** With d = x + e: x.d = x.x + x.e, and d.d = x.x + 2 x.e + e.e. */
function cosineOf(signal: number, noise: number, cross: number): number | null {
  if (signal > 0 && noise === 0) return 1;
  const dequantized = signal + 2 * cross + noise;
  if (!(signal > 0 && dequantized > signal * ROUNDING && dequantized < Infinity)) return null;
  const lengths = Math.sqrt(signal) * Math.sqrt(dequantized);
  return Math.max(-1, Math.min(1, (signal + cross) / lengths));
}
