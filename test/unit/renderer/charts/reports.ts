import { summarizeScales, type Scales } from '../../../../shared/scales.ts';
import { schemeOf } from '../../../../shared/scheme.ts';
import type { Histogram, SideDetail, TensorFigures } from '../../../../shared/report.ts';

/** A report of a tensor that was quantized, with what a test says of it. */
export function reportWith(fields: Partial<TensorFigures> = {}): TensorFigures {
  return {
    tensor: 0,
    scheme: schemeOf(),
    quantized: true,
    reason: null,
    byRule: false,
    axis: 0,
    min: -1,
    max: 1,
    clipped: 0,
    levelsUsed: 3,
    mse: 0.01,
    rmse: 0.1,
    maxAbsError: 0.25,
    sqnrDb: 20,
    cosine: 0.995,
    signal: 1,
    noise: 0.01,
    bytesBefore: 400,
    bytesAfter: 104,
    ...fields,
  };
}

export function sideWith(
  report: Partial<TensorFigures>,
  errorHistogram: Histogram = { lo: -0.25, hi: 0.25, counts: [1, 2, 1] },
  scales: Scales = { scale: [0.5], zeroPoint: [0] },
): SideDetail {
  return {
    report: reportWith(report),
    scales: summarizeScales(scales),
    codes: null,
    errorHistogram,
    channelSqnr: null,
    firstCodes: [],
    firstValues: [],
  };
}
