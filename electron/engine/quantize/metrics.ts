import { sqnrDb } from '../../../shared/report.ts';

/**
 * Sums over elements, in float64, of which every error measure is made. An error is dequantized
 * minus original; elements whose original is not finite have none and are left out of all sums.
 */
export interface ErrorSums {
  /** Elements that were measured. */
  elements: number;
  /** Sum of the squared originals. */
  signal: number;
  /** Sum of the squared errors. */
  noise: number;
  /** Sum of original times dequantized. */
  dot: number;
  /** Sum of the squared dequantized values. */
  dequantized: number;
  maxAbsError: number;
}

export function emptyErrorSums(): ErrorSums {
  return { elements: 0, signal: 0, noise: 0, dot: 0, dequantized: 0, maxAbsError: 0 };
}

/** The error measures of a report, each in the one definition that the product has. */
export interface ErrorMeasures {
  readonly mse: number;
  readonly rmse: number;
  readonly maxAbsError: number;
  /** Infinity when the error is 0; null when all originals are 0. */
  readonly sqnrDb: number | null;
  /** Cosine of the angle between originals and dequantized; null when either is all 0. */
  readonly cosine: number | null;
  readonly signal: number;
  readonly noise: number;
}

/** Measures from sums; all errors are 0 where nothing was measured. */
export function measuresOf(sums: ErrorSums): ErrorMeasures {
  const { elements, signal, noise, dot, dequantized, maxAbsError } = sums;
  const mse = elements === 0 ? 0 : noise / elements;
  return {
    mse,
    rmse: Math.sqrt(mse),
    maxAbsError,
    sqnrDb: sqnrDb(signal, noise),
    cosine: cosineOf(dot, signal, dequantized),
    signal,
    noise,
  };
}

function cosineOf(dot: number, signal: number, dequantized: number): number | null {
  const lengths = Math.sqrt(signal) * Math.sqrt(dequantized);
  if (!(lengths > 0 && lengths < Infinity)) return null;
  return Math.max(-1, Math.min(1, dot / lengths));
}
