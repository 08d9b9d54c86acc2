import type { Values, ValueSource } from '../../quantize/values.ts';
import { castCoder, chosenCoder, integerCoder, type Coder } from './coder.ts';
import { addToHistogram, type Bins } from '../../quantize/histogram.ts';
import { forEachRun, type Grouping } from '../../quantize/layout.ts';
import { emptyErrorSums, type ErrorSums } from '../../quantize/metrics.ts';
import { packerOf } from '../../quantize/packing.ts';
import type { EncodeJob, Encoded, Inspected } from '../../quantize/passes.ts';

/** Sees each chunk with its codes and restored values, which are good only until it returns. */
type Observe = (values: Values, start: number, codes: Int32Array, restored: Float64Array) => void;

function coderOf({ encoding, grouping, parameters, codes }: EncodeJob): Coder {
  if (encoding.kind === 'cast') return castCoder(encoding.dtype);
  if (codes !== undefined) return chosenCoder(grouping, parameters, encoding.format, codes);
  return integerCoder(grouping, parameters, encoding.format);
}

/** Encodes and measures all values. The contract is Passes.encode. */
export function encodePlainly(source: ValueSource, job: EncodeJob, observe?: Observe): Encoded {
  const coder = coderOf(job);
  const packer = job.sink === undefined ? undefined : packerOf(coder.bits);
  const send = (bytes: Uint8Array | undefined): void => {
    if (bytes !== undefined && bytes.length > 0) job.sink?.(bytes);
  };
  // A flag for each code of up to 16 bits; 32-bit codes would take half a gigabyte.
  const used = coder.bits > 16 ? null : new Uint8Array(2 ** coder.bits);
  const sums = emptyErrorSums();
  let clipped = 0;
  forEachEncoded(source, coder, (values, start, codes, restored, beyond) => {
    clipped += beyond;
    addErrors(values, restored, sums);
    if (used !== null)
      for (let index = 0; index < codes.length; index++) used[codes[index]! - coder.lowest] = 1;
    send(packer?.push(codes));
    observe?.(values, start, codes, restored);
  });
  send(packer?.end());
  const levelsUsed = used === null ? null : used.reduce((count, flag) => count + flag, 0);
  return { sums, clipped, levelsUsed };
}

/** Runs a coder over a source, with buffers that grow to the largest chunk and are used again. */
function forEachEncoded(
  source: ValueSource,
  coder: Coder,
  visit: (...args: [...Parameters<Observe>, clipped: number]) => void,
): void {
  let codes = new Int32Array(0);
  let restored = new Float64Array(0);
  source.forEachChunk((values, start) => {
    if (codes.length < values.length) {
      codes = new Int32Array(values.length);
      restored = new Float64Array(values.length);
    }
    const someCodes = codes.subarray(0, values.length);
    const someRestored = restored.subarray(0, values.length);
    const clipped = coder.encode(values, start, someCodes, someRestored);
    visit(values, start, someCodes, someRestored, clipped);
  });
}

/** Adds a chunk to the error sums; elements that are not finite in the original are left out. */
function addErrors(values: Values, restored: Float64Array, sums: ErrorSums): void {
  let { noise, cross, maxAbsError } = sums;
  for (let index = 0; index < values.length; index++) {
    const original = values[index]!;
    if (original - original !== 0) continue;
    const error = restored[index]! - original;
    noise += error * error;
    cross += error * original;
    if (Math.abs(error) > maxAbsError) maxAbsError = Math.abs(error);
  }
  Object.assign(sums, { noise, cross, maxAbsError });
}

/** Encodes, and keeps what the inspector shows. The contract is Passes.inspect. */
export function inspectPlainly(
  source: ValueSource,
  job: EncodeJob,
  channels: Grouping | null,
  first: number,
): Inspected {
  const bits = coderOf(job).bits;
  const errors = channels === null ? null : channelErrors(channels);
  const tally = bits <= 8 ? new Float64Array(256) : null;
  const firstCodes: number[] = [];
  const firstValues: number[] = [];
  let largestFiniteError = 0;
  const encoded = encodePlainly(source, job, (values, start, codes, restored) => {
    keepFirst(firstCodes, codes, first);
    keepFirst(firstValues, restored, first);
    errors?.add(values, restored, start);
    largestFiniteError = Math.max(largestFiniteError, largestDifference(values, restored));
    if (tally !== null)
      for (let index = 0; index < codes.length; index++)
        tally[codes[index]! & 255] = tally[codes[index]! & 255]! + 1;
  });
  const sums = errors === null ? null : { signal: errors.signal, noise: errors.noise };
  return { ...encoded, firstCodes, firstValues, tally, largestFiniteError, channels: sums };
}

/** Appends values until as many as wanted are kept. */
export function keepFirst(kept: number[], values: ArrayLike<number>, wanted: number): void {
  for (let index = 0; kept.length < wanted && index < values.length; index++)
    kept.push(values[index]!);
}

function largestDifference(values: Values, restored: Float64Array): number {
  let largest = 0;
  for (let index = 0; index < values.length; index++) {
    const error = Math.abs(restored[index]! - values[index]!);
    if (error > largest && error < Infinity) largest = error;
  }
  return largest;
}

/** Signal and noise per channel, over elements whose original is finite. */
function channelErrors(grouping: Grouping): {
  readonly signal: Float64Array;
  readonly noise: Float64Array;
  add: (values: Values, restored: Float64Array, start: number) => void;
} {
  const signal = new Float64Array(grouping.groups);
  const noise = new Float64Array(grouping.groups);
  return {
    signal,
    noise,
    add(values, restored, start) {
      forEachRun(grouping, start, values.length, (from, to, first, step) => {
        for (let index = from, group = first; index < to; index++, group += step) {
          const original = values[index]!;
          if (original - original !== 0) continue;
          const error = restored[index]! - original;
          signal[group] = signal[group]! + original * original;
          noise[group] = noise[group]! + error * error;
        }
      });
    },
  };
}

/** Counts of the finite errors over bins. The contract is Passes.errorCounts. */
export function countErrors(source: ValueSource, job: EncodeJob, bins: Bins): Float64Array {
  const counts = new Float64Array(bins.count);
  forEachEncoded(source, coderOf(job), (values, _start, _codes, restored) => {
    for (let index = 0; index < values.length; index++)
      restored[index] = restored[index]! - values[index]!;
    addToHistogram(restored, bins, counts);
  });
  return counts;
}
