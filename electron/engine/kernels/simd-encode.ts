import { append, largest } from '../../../shared/lists.ts';
import { CASTS } from '../quantize/casts.ts';
import type { Bins } from '../quantize/histogram.ts';
import type { IntegerFormat } from '../quantize/integer-format.ts';
import type { Grouping } from '../quantize/layout.ts';
import type { ErrorSums } from '../quantize/metrics.ts';
import type { CodeSink, EncodeJob, Encoded, Inspected } from '../quantize/passes.ts';
import type { FloatCast } from '../../../shared/scheme.ts';
import type { BlockReader, ByteSource } from './blocks.ts';
import { setGrouping } from './grouping.ts';
import { BLOCK_VALUES, type Kernels } from './kernels.ts';
import { foldedCounts } from './simd-results.ts';

/** How the kernels know the ways of rounding: EVEN and ZERO of assembly/codes.ts. */
export const ROUNDINGS = { even: 0, zero: 1 } as const;

/** An encoding set up in the kernels, for blocks to be run through. */
interface Encoder {
  readonly bits: number;
  /** Bytes of a code as the kernels write it: 4-bit codes take one until they are packed. */
  readonly width: number;
  readonly isSigned: boolean;
  /** The flags of the codes in use; 0 for codes of over 16 bits. */
  readonly flags: number;
  run(pointer: number, count: number, start: number): void;
}

interface Outputs {
  readonly codes: boolean;
  readonly restored: boolean;
}

/** Sets the kernels to encode as a job says, their error sums at nothing. */
export function prepare(kernels: Kernels, job: EncodeJob, outputs: Outputs): Encoder {
  kernels.exports.resetErrorSums();
  const { encoding } = job;
  return encoding.kind === 'cast'
    ? prepareCast(kernels, encoding.dtype, outputs)
    : prepareIntegers(kernels, job, encoding.format, outputs);
}

function prepareCast(kernels: Kernels, dtype: FloatCast, outputs: Outputs): Encoder {
  const { exports, codes, restored } = kernels;
  const { bits } = CASTS[dtype];
  const flags = kernels.allocate(2 ** bits);
  setCast(kernels, dtype, flags);
  exports.setCastOutput(outputs.codes ? codes : 0, outputs.restored ? restored : 0);
  const run = (pointer: number, count: number): void => exports.cast(pointer, count);
  return { bits, width: bits / 8, isSigned: false, flags, run };
}

function setCast({ exports }: Kernels, dtype: FloatCast, flags: number): void {
  const { format, decode } = CASTS[dtype];
  exports.setCast(
    format.exponentBits,
    format.fractionBits,
    decode(format.largest),
    decode(format.overflow),
    format.overflow,
    format.nan,
    flags,
  );
}

/** Values that are cast at a time: the blocks for decoded values, codes and restored ones lie together, and in the cache. */
const CAST_VALUES = 3 * BLOCK_VALUES;

/** Casts float32 alone, where it was read. The contract is Passes.cast. */
export function castFloats(
  kernels: Kernels,
  source: ByteSource,
  dtype: FloatCast,
  sink: CodeSink,
): void {
  const { exports, decoded: pointer } = kernels;
  const { elements } = source;
  setCast(kernels, dtype, 0);
  for (let start = 0; start < elements; start += CAST_VALUES) {
    source.check?.();
    const count = Math.min(CAST_VALUES, elements - start);
    source.read(kernels.bytes(pointer, count * 4), start * 4);
    exports.castInPlace(pointer, count);
    sink(kernels.bytes(pointer, (count * CASTS[dtype].bits) / 8));
  }
}

function prepareIntegers(
  kernels: Kernels,
  { grouping, parameters: { scale, zeroPoint } }: EncodeJob,
  { bits, clip, rounding }: IntegerFormat,
  outputs: Outputs,
): Encoder {
  const { exports } = kernels;
  const scales = kernels.allocate(grouping.groups * 4);
  const zeroPoints = kernels.allocate(grouping.groups * 4);
  const flags = bits > 16 ? 0 : kernels.allocate(2 ** bits);
  kernels.float32(scales, grouping.groups).set(scale);
  kernels.float32(zeroPoints, grouping.groups).set(zeroPoint);
  exports.setCodes(scales, zeroPoints, ROUNDINGS[rounding], clip.qmin, clip.qmax);
  const isSigned = clip.qmin < 0;
  if (flags !== 0) exports.setFlags(flags, isSigned ? -(2 ** (bits - 1)) : 0, 2 ** bits);
  const width = Math.max(1, bits / 8);
  exports.setOutput(
    outputs.codes ? kernels.codes : 0,
    width,
    outputs.restored ? kernels.restored : 0,
  );
  setGrouping(exports, grouping);
  const run = (pointer: number, count: number, start: number): void =>
    exports.encode(pointer, count, start);
  return { bits, width, isSigned, flags, run };
}

function readSums(kernels: Kernels): { sums: ErrorSums; clipped: number } {
  const pointer = kernels.exports.errorSums();
  const doubles = kernels.float64(pointer, 8);
  const at = (index: number): number => doubles[index]!;
  return {
    sums: {
      noise: at(0) + at(1),
      cross: at(2) + at(3),
      maxAbsError: largest([at(6), ...kernels.float32(pointer + 32, 4)]),
    },
    clipped: at(7),
  };
}

/** What the kernels have summed up and flagged. */
export function encodedBy(kernels: Kernels, { flags, bits }: Encoder): Encoded {
  const levelsUsed =
    flags === 0 ? null : kernels.bytes(flags, 2 ** bits).reduce((sum, flag) => sum + flag, 0);
  return { ...readSums(kernels), levelsUsed };
}

/** Encodes and measures all values. The contract is Passes.encode. */
export function encode(kernels: Kernels, reader: BlockReader, job: EncodeJob): Encoded {
  kernels.reset();
  const { sink } = job;
  const encoder = prepare(kernels, job, { codes: sink !== undefined, restored: false });
  reader.forEachBlock((pointer, count, start) => {
    encoder.run(pointer, count, start);
    if (sink !== undefined) sink(storedCodes(kernels, encoder, count));
  });
  return encodedBy(kernels, encoder);
}

/** A copy of the block's codes as model files store them. Blocks begin at even elements. */
export function storedCodes(kernels: Kernels, { bits, width }: Encoder, count: number): Uint8Array {
  if (bits !== 4) return kernels.bytes(kernels.codes, count * width).slice();
  // The restored values are not in use here.
  kernels.exports.packNibbles(kernels.codes, kernels.restored, count);
  return kernels.bytes(kernels.restored, Math.ceil(count / 2)).slice();
}

/** Encodes, and keeps what the inspector shows. The contract is Passes.inspect. */
export function inspect(
  kernels: Kernels,
  reader: BlockReader,
  job: EncodeJob,
  channels: Grouping | null,
  first: number,
): Inspected {
  kernels.reset();
  const { exports, codes, restored } = kernels;
  const encoder = prepare(kernels, job, { codes: true, restored: true });
  const groups = channels?.groups ?? 0;
  const [signals, noises] = [kernels.allocate(groups * 8), kernels.allocate(groups * 8)];
  const tally = encoder.bits > 8 ? 0 : kernels.allocate(1024);
  const firstCodes: number[] = [];
  const firstValues: number[] = [];
  let largestFiniteError = 0;
  reader.forEachBlock((pointer, count, start) => {
    encoder.run(pointer, count, start);
    if (start < first) {
      append(firstCodes, codesAt(kernels, encoder, Math.min(first, count)));
      append(firstValues, kernels.float32(restored, Math.min(first, count)));
    }
    if (tally !== 0) exports.countBytes(codes, count, tally);
    const largest = exports.largestDifference(pointer, restored, count);
    largestFiniteError = Math.max(largestFiniteError, largest);
    if (channels === null) return;
    setGrouping(exports, channels);
    exports.addGroupErrors(pointer, restored, count, start, signals, noises);
    setGrouping(exports, job.grouping);
  });
  return {
    ...encodedBy(kernels, encoder),
    firstCodes,
    firstValues,
    tally: tally === 0 ? null : Float64Array.from(kernels.uint32(tally, 256)),
    largestFiniteError,
    channels:
      channels === null
        ? null
        : {
            signal: kernels.float64(signals, groups).slice(),
            noise: kernels.float64(noises, groups).slice(),
          },
  };
}

function codesAt(kernels: Kernels, { width, isSigned }: Encoder, count: number): Iterable<number> {
  const bytes = kernels.bytes(kernels.codes, count * width).slice().buffer;
  if (width === 4) return new Int32Array(bytes);
  if (width === 2) return isSigned ? new Int16Array(bytes) : new Uint16Array(bytes);
  return isSigned ? new Int8Array(bytes) : new Uint8Array(bytes);
}

/** Counts finite errors over bins that hold them all. The contract is Passes.errorCounts. */
export function errorCounts(
  kernels: Kernels,
  reader: BlockReader,
  job: EncodeJob,
  { lo, hi, count: bins }: Bins,
): Float64Array {
  kernels.reset();
  const encoder = prepare(kernels, job, { codes: false, restored: true });
  const table = kernels.allocate((bins + 1) * 4);
  const perUnit = bins / (hi - lo);
  reader.forEachBlock((pointer, count, start) => {
    encoder.run(pointer, count, start);
    kernels.exports.countDifferences(pointer, kernels.restored, count, table, lo, perUnit);
  });
  return foldedCounts(kernels.uint32(table, bins + 1), bins);
}
