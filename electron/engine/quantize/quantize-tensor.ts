import { AppError } from '../../../shared/errors.ts';
import { blockAxisOf } from '../../../shared/plan.ts';
import type { Statistics, TensorReport } from '../../../shared/report.ts';
import type { Values, ValueSource } from './chunks.ts';
import { castCoder, integerCoder, type Coder, type Parameters } from './coder.ts';
import { integerFormatOf } from './integer-format.ts';
import { groupingOf, type Grouping } from './layout.ts';
import { emptyErrorSums, measuresOf, type ErrorSums } from './metrics.ts';
import { packerOf } from './packing.ts';
import { parameterRule, type ParameterRule } from './parameters.ts';
import { rangesOf } from './ranges.ts';
import { isCast, isFixedPoint, type KernelScheme } from './scheme.ts';
import type { GroupRanges, TensorStatistics } from './statistics.ts';

export interface QuantizeInput {
  /** The tensor's name, for errors. */
  readonly name: string;
  readonly source: ValueSource;
  readonly shape: readonly number[];
  /** The channel axis; null quantizes per tensor whatever the scheme's granularity. */
  readonly axis: number | null;
  readonly scheme: KernelScheme;
  /** What computeStatistics gave for the same tensor, best with the layout of the same axis. */
  readonly statistics: TensorStatistics;
  /** Receives the packed codes, or bit patterns for casts: little-endian, in order. */
  readonly sink?: CodeSink | undefined;
}

/** Takes the stored bytes of consecutive runs of codes; it may keep them. */
export type CodeSink = (bytes: Uint8Array) => void;

/** Sees each chunk with its codes and restored values, which are good only until it returns. */
export type ChunkObserver = (
  values: Values,
  start: number,
  codes: Int32Array,
  restored: Float64Array,
) => void;

/** The numbers of a TensorReport: all but what the plan and the model know. */
export type QuantizeResult = Omit<
  TensorReport,
  'tensor' | 'scheme' | 'quantized' | 'reason' | 'byRule' | 'bytesBefore' | 'bytesAfter'
>;

/** A scheme made ready for one tensor: which elements share a scale, the scales, and the coder. */
export interface Prepared {
  readonly grouping: Grouping;
  readonly parameters: Parameters;
  readonly coder: Coder;
}

/**
 * Finds the scales of a scheme for a tensor.
 * @throws AppError NON_FINITE when an integer scheme meets NaN or infinity, naming the tensor and
 * the flat index of the first, or when a float64 range is too wide for a float32 scale.
 */
export function prepareTensor(input: QuantizeInput): Prepared {
  const { name, source, shape, axis, scheme, statistics } = input;
  if (isCast(scheme.dtype)) {
    const parameters = { scale: new Float64Array(0), zeroPoint: new Int32Array(0) };
    return {
      grouping: groupingOf(shape, null, 'tensor'),
      parameters,
      coder: castCoder(scheme.dtype),
    };
  }
  requireFinite(name, statistics.statistics);
  const format = integerFormatOf(scheme);
  const isFixed = isFixedPoint(scheme.dtype) && scheme.powerOfTwo !== true;
  const grouping = groupingOf(shape, axis, isFixed ? 'tensor' : scheme.granularity);
  const rule = parameterRule(scheme, grouping.kind, format);
  const ranges = isFixed
    ? { min: Float64Array.of(0), max: Float64Array.of(0) }
    : rangesOf(source, grouping, scheme, statistics, rule, format);
  const parameters = parametersOf(name, ranges, rule);
  return { grouping, parameters, coder: integerCoder(grouping, parameters, format) };
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

function parametersOf(name: string, ranges: GroupRanges, rule: ParameterRule): Parameters {
  const groups = ranges.min.length;
  const scale = new Float64Array(groups);
  const zeroPoint = new Int32Array(groups);
  for (let group = 0; group < groups; group++) {
    const [low, high] = [ranges.min[group]!, ranges.max[group]!];
    const found = rule(low, high);
    if (!Number.isFinite(found.scale))
      throw new AppError('NON_FINITE', 'the range of values is too wide for a float32 scale', {
        field: name,
        found: `${low} to ${high}`,
      });
    scale[group] = found.scale;
    zeroPoint[group] = found.zeroPoint;
  }
  return { scale, zeroPoint };
}

/**
 * Quantizes a tensor and measures the error in one pass over its values (percentile ranges and
 * ranges per block take passes of their own before it). Memory is bounded by the source's chunks,
 * the scales, and one flag per code.
 * @throws AppError NON_FINITE as prepareTensor does
 */
export function quantizeTensor(input: QuantizeInput): QuantizeResult {
  return quantizePrepared(input, prepareTensor(input));
}

/** quantizeTensor with its scales found already, for a caller who also looks at each chunk. */
export function quantizePrepared(
  input: QuantizeInput,
  { grouping, parameters, coder }: Prepared,
  observe?: ChunkObserver,
): QuantizeResult {
  const { source, sink } = input;
  const packer = sink === undefined ? undefined : packerOf(coder.bits);
  const send = (bytes: Uint8Array | undefined): void => {
    if (bytes !== undefined && bytes.length > 0) sink?.(bytes);
  };
  // A flag for each code of up to 16 bits; 32-bit codes would take half a gigabyte.
  const used = coder.bits > 16 ? null : new Uint8Array(2 ** coder.bits);
  const sums = emptyErrorSums();
  let clipped = 0;
  encodeChunks(source, coder, (values, start, codes, restored, beyond) => {
    clipped += beyond;
    addErrors(values, restored, sums);
    if (used !== null)
      for (let index = 0; index < codes.length; index++) used[codes[index]! - coder.lowest] = 1;
    send(packer?.push(codes));
    observe?.(values, start, codes, restored);
  });
  send(packer?.end());
  const { min, max } = input.statistics.statistics;
  return {
    scale: Array.from(parameters.scale),
    zeroPoint: Array.from(parameters.zeroPoint),
    axis: axisOf(grouping, input),
    min,
    max,
    clipped,
    levelsUsed: used === null ? NaN : used.reduce((count, flag) => count + flag, 0),
    ...measuresOf(sums),
  };
}

/** The axis that scales run along, or blocks; null for one scale. */
function axisOf({ kind }: Grouping, { shape, axis }: QuantizeInput): number | null {
  if (kind === 'tensor' || axis === null) return null;
  return kind === 'block' ? blockAxisOf(shape, axis) : axis;
}

/** Runs a coder over a source, with buffers that grow to the largest chunk and are used again. */
export function encodeChunks(
  source: ValueSource,
  coder: Coder,
  visit: (
    values: Values,
    start: number,
    codes: Int32Array,
    restored: Float64Array,
    clipped: number,
  ) => void,
): void {
  let codes = new Int32Array(0);
  let restored = new Float64Array(0);
  source.forEachChunk((values, start) => {
    if (codes.length < values.length) {
      codes = new Int32Array(values.length);
      restored = new Float64Array(values.length);
    }
    const [someCodes, some] = [
      codes.subarray(0, values.length),
      restored.subarray(0, values.length),
    ];
    const clipped = coder.encode(values, start, someCodes, some);
    visit(values, start, someCodes, some, clipped);
  });
}

/** Adds a chunk to the error sums; elements that are not finite in the original are left out. */
export function addErrors(values: Values, restored: Float64Array, sums: ErrorSums): void {
  let { elements, signal, noise, dot, dequantized, maxAbsError } = sums;
  for (let index = 0; index < values.length; index++) {
    const original = values[index]!;
    if (original - original !== 0) continue;
    const back = restored[index]!;
    const error = back - original;
    elements++;
    signal += original * original;
    noise += error * error;
    dot += original * back;
    dequantized += back * back;
    if (Math.abs(error) > maxAbsError) maxAbsError = Math.abs(error);
  }
  Object.assign(sums, { elements, signal, noise, dot, dequantized, maxAbsError });
}
