import { AppError } from '../../../shared/errors.ts';
import type { Numbers } from '../../../shared/lists.ts';
import type { StoredQuantization } from '../../../shared/model.ts';
import { blockAxisOf, type ScaleDtype } from '../../../shared/plan.ts';
import type { Statistics, TensorReport } from '../../../shared/report.ts';
import { integerFormatOf, type IntegerFormat } from './integer-format.ts';
import { groupingOf, layoutOf, type Grouping } from './layout.ts';
import { measuresOf } from './metrics.ts';
import { parameterRule, type ParameterRule } from './parameters.ts';
import type { CodeSink, EncodeJob, Encoded, GroupRanges, Parameters, Passes } from './passes.ts';
import type { ValueSource } from './values.ts';
import { passesOf } from '../kernels/reference/plain-passes.ts';
import { rangesOf } from './ranges.ts';
import { castJob } from './casts.ts';
import { readSolution } from './solution-file.ts';
import { scalingOf } from '../../../shared/scheme.ts';
import type { KernelScheme } from './scheme.ts';
import { finiteCount, signalOf, type TensorStatistics } from './statistics.ts';

export interface QuantizeInput {
  /** The tensor's name, for errors. */
  readonly name: string;
  readonly source: Passes | ValueSource;
  readonly shape: readonly number[];
  /** The channel axis; null quantizes per tensor whatever the scheme's granularity. */
  readonly axis: number | null;
  readonly scheme: KernelScheme;
  /** What computeStatistics gave for the same tensor, best with the layout of the same axis. */
  readonly statistics: TensorStatistics;
  /** The model's own parameters, where it makes the codes itself: they are taken as they are. */
  readonly stored?: StoredQuantization | null | undefined;
  /** Receives the packed codes, or bit patterns for casts: little-endian, in order. */
  readonly sink?: CodeSink | undefined;
}

/** The numbers of a TensorReport: all but what the plan and the model know. */
export type QuantizeResult = Omit<
  TensorReport,
  'tensor' | 'scheme' | 'quantized' | 'reason' | 'byRule' | 'bytesBefore' | 'bytesAfter'
>;

/**
 * Quantizes a tensor and measures the error in one pass over its values (percentile ranges and
 * ranges per block take passes of their own before it). Memory is bounded by the source's chunks,
 * the scales, and one flag per code.
 * @throws AppError NON_FINITE as prepareTensor does
 */
export function quantizeTensor(input: QuantizeInput): QuantizeResult {
  const job = prepareTensor(input);
  return resultOf(input, job, passesOf(input.source).encode(job));
}

/**
 * Finds the scales of a scheme for a tensor.
 * @throws AppError NON_FINITE when an integer scheme meets NaN or infinity, naming the tensor and
 * the flat index of the first, or when a range is too wide for the type of the scales.
 */
export function prepareTensor(input: QuantizeInput): EncodeJob {
  const { name, source, shape, axis, scheme, statistics, sink } = input;
  if (scheme.kind === 'cast') {
    const elements = shape.reduce((product, size) => product * size, 1);
    return castJob(scheme.dtype, elements, sink);
  }
  requireFinite(name, statistics.statistics);
  const format = integerFormatOf(scheme);
  if (input.stored?.pending !== undefined)
    return {
      encoding: { kind: 'integer', format },
      ...storedParameters(shape, input.stored),
      sink,
    };
  const encoding = { kind: 'integer', format } as const;
  if (scheme.parameters !== undefined) {
    const fixed = storedParameters(shape, { ...scheme.parameters, blockSize: null });
    const { codes } = scheme;
    if (scheme.solved === undefined)
      return { encoding, ...fixed, ...(codes === undefined ? {} : { codes }), sink };
    return { encoding, ...solvedCodes(scheme.solved, shape, fixed.grouping, format), sink };
  }
  const scaling = scalingOf(scheme);
  const grouping = groupingOf(shape, axis, scaling?.granularity ?? 'tensor');
  if (scheme.solved !== undefined)
    return { encoding, ...solvedCodes(scheme.solved, shape, grouping, format), sink };
  const rule = parameterRule(scheme, grouping.kind, format);
  const ranges =
    scaling === null
      ? { min: Float64Array.of(0), max: Float64Array.of(0) }
      : rangesOf(passesOf(source), grouping, scaling, statistics, rule, format);
  return {
    ...{ encoding, grouping },
    ...{ parameters: parametersOf(name, ranges, rule, scheme.scaleDtype), sink },
  };
}

/** What an algorithm has chosen for a tensor. */
function solvedCodes(
  file: string,
  shape: readonly number[],
  grouping: Grouping,
  format: IntegerFormat,
): Pick<EncodeJob, 'grouping' | 'parameters' | 'codes'> {
  const elements = shape.reduce((product, size) => product * size, 1);
  return { grouping, ...readSolution(file, grouping.groups, elements, format) };
}

function requireFinite(name: string, statistics: Statistics): void {
  if (statistics.firstNonFinite === null) return;
  const { nans, infinities, firstNonFinite } = statistics;
  throw new AppError('NON_FINITE', 'an integer scheme needs finite values', {
    field: name,
    found: `${nans} NaN and ${infinities} infinite, the first at flat index ${firstNonFinite}`,
    expected: 'numbers only',
  });
}

function parametersOf(
  name: string,
  ranges: GroupRanges,
  rule: ParameterRule,
  scaleDtype: ScaleDtype = 'float32',
): Parameters {
  const groups = ranges.min.length;
  const scale = new Float64Array(groups);
  const zeroPoint = new Int32Array(groups);
  for (let group = 0; group < groups; group++) {
    const [low, high] = [ranges.min[group]!, ranges.max[group]!];
    const found = rule(low, high);
    if (!Number.isFinite(found.scale))
      throw new AppError(
        'NON_FINITE',
        `the range of values is too wide for a ${scaleDtype} scale`,
        {
          field: name,
          found: `${low} to ${high}`,
        },
      );
    scale[group] = found.scale;
    // Memory that is never written takes no room: symmetric schemes have no other zero points than 0.
    if (found.zeroPoint !== 0) zeroPoint[group] = found.zeroPoint;
  }
  return { scale, zeroPoint };
}

/** The groups and parameters of a QuantizeLinear; its axis is that of the blocks, too. */
function storedParameters(
  shape: readonly number[],
  { scale, zeroPoint, axis, blockSize }: StoredQuantization,
): Pick<EncodeJob, 'grouping' | 'parameters'> {
  const kind = axis === null ? 'tensor' : blockSize === null ? 'channel' : 'block';
  const groups = scale.length;
  const grouping = { kind, layout: layoutOf(shape, axis), block: blockSize ?? 0, groups } as const;
  const zeros = zeroPoint.length > 0 ? zeroPoint : new Array<number>(groups).fill(0);
  return {
    grouping,
    parameters: { scale: Float64Array.from(scale), zeroPoint: Int32Array.from(zeros) },
  };
}

/** Up to here a plain array is copied to another thread in less time, and takes less memory, than a typed one. */
const SHORT_LIST = 4096;

function listed(numbers: Float64Array | Int32Array): Numbers {
  return numbers.length > SHORT_LIST ? numbers : Array.from(numbers);
}

/** The report's numbers from what encoding a tensor gave. */
export function resultOf(
  input: QuantizeInput,
  { grouping, parameters }: EncodeJob,
  { sums, clipped, levelsUsed }: Encoded,
): QuantizeResult {
  const { statistics } = input.statistics;
  return {
    scale: listed(parameters.scale),
    zeroPoint: listed(parameters.zeroPoint),
    axis: axisOf(grouping, input),
    min: statistics.min,
    max: statistics.max,
    clipped,
    levelsUsed,
    ...measuresOf(sums, finiteCount(statistics), signalOf(statistics)),
  };
}

/** The axis that scales run along, or blocks; null for one scale. */
function axisOf({ kind }: Grouping, { shape, axis, stored, scheme }: QuantizeInput): number | null {
  if (scheme.parameters !== undefined) return scheme.parameters.axis;
  if (stored?.pending !== undefined) return stored.axis;
  if (kind === 'tensor' || axis === null) return null;
  return kind === 'block' ? blockAxisOf(shape, axis) : axis;
}
