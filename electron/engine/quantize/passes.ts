import type { SourceDtype } from '../../../shared/dtypes.ts';
import type { Bins } from './histogram.ts';
import type { IntegerFormat } from './integer-format.ts';
import type { Grouping } from './layout.ts';
import type { ErrorSums } from './metrics.ts';
import type { FloatCast } from '../../../shared/scheme.ts';

/** The least and the greatest finite value of each group. */
export interface GroupRanges {
  readonly min: Float64Array;
  readonly max: Float64Array;
}

/** Counts and the sum of a tensor's values. */
export interface ValueSums {
  readonly finite: number;
  readonly sum: number;
  readonly zeros: number;
  /** Of the type that the tensor is stored in, zeros apart. */
  readonly subnormals: number;
  readonly nans: number;
  readonly infinities: number;
  readonly firstNonFinite: number | null;
}

/** Scales and zero points, one per group. */
export interface Parameters {
  readonly scale: Float64Array;
  readonly zeroPoint: Int32Array;
}

/** Candidate scales of some consecutive groups, and the squared error of each: by candidate, then by group. */
export interface Cells {
  readonly candidates: number;
  readonly groups: number;
  readonly scale: Float64Array;
  readonly zeroPoint: Int32Array;
  readonly error: Float64Array;
}

/** What values become: integers with scales, or the bit patterns of a float type. */
export type Encoding =
  | { readonly kind: 'integer'; readonly format: IntegerFormat }
  | { readonly kind: 'cast'; readonly dtype: FloatCast };

/** Codes that an algorithm or the plan chose, one for each value of a tensor, in its order. */
export type ChosenCodes = Int8Array | Uint8Array | Int32Array;

/** Takes the stored bytes of consecutive runs of codes; it may keep them. */
export type CodeSink = (bytes: Uint8Array) => void;

export interface EncodeJob {
  readonly encoding: Encoding;
  readonly grouping: Grouping;
  readonly parameters: Parameters;
  /** The codes of all elements, in place of the nearest ones. */
  readonly codes?: ChosenCodes;
  readonly sink?: CodeSink | undefined;
}

export interface Encoded {
  readonly sums: ErrorSums;
  /** Values outside what the codes can represent. */
  readonly clipped: number;
  /** Codes in use; null for codes of over 16 bits, which are not told apart. */
  readonly levelsUsed: number | null;
}

/** What the inspector wants besides. */
export interface Inspected extends Encoded {
  /** Codes and the numbers that they stand for, from the first element on. */
  readonly firstCodes: readonly number[];
  readonly firstValues: readonly number[];
  /** Counts of codes of up to 8 bits, by the code's lowest 8 bits; null for wider codes. */
  readonly tally: Float64Array | null;
  readonly largestFiniteError: number;
  /** Signal and noise of each channel; null where none were asked for. */
  readonly channels: { readonly signal: Float64Array; readonly noise: Float64Array } | null;
}

/** The finite values of some groups, or their magnitudes, by rank. */
export interface Gathered {
  count(group: number): number;
  /** The value of a rank, 0 being the least, of a group counted from the first that was gathered. */
  ranked(group: number, rank: number): number;
}

/** One group among others. */
export interface OneGroup {
  readonly grouping: Grouping;
  readonly group: number;
}

/**
 * Everything that is ever done to all values of one tensor. There are two of each: the SIMD kernels, and
 * their reference implementation (kernels/reference/), whose results theirs must equal.
 */
export interface Passes {
  readonly elements: number;
  readonly dtype: SourceDtype;
  /**
   * Ranges of groups, open (Infinity, -Infinity) for groups without finite values, and the sums
   * of all. Whether a 0 in a range is -0 is not said.
   */
  firstPass(grouping: Grouping): { readonly ranges: GroupRanges; readonly sums: ValueSums };
  /** Ranges alone. */
  ranges(grouping: Grouping): GroupRanges;
  /** Counts over bins that hold all finite values, and the sum of the squared deviations from the mean. */
  secondPass(
    bins: Bins,
    mean: number,
    allFinite: boolean,
  ): { readonly counts: Float64Array; readonly squares: number };
  /**
   * For each prefix of 16-bit digits of order-preserving keys (all of one length): counts of the
   * next digit among the finite values whose keys begin so. Keys have 2 digits, or 4 for float64.
   */
  countDigits(
    prefixes: readonly (readonly number[])[],
    magnitudes: boolean,
    within: OneGroup | null,
  ): Float64Array[];
  /** Gathers groups [first, first + groups) of at most `size` values each. */
  gather(
    grouping: Grouping,
    first: number,
    groups: number,
    size: number,
    magnitudes: boolean,
  ): Gathered;
  /** Adds to the squared errors of the cells, whose groups begin at `first`. */
  addCandidateErrors(grouping: Grouping, first: number, cells: Cells, format: IntegerFormat): void;
  /** Counts over `bins` of [-limit, limit] of the groups from `first` on, one group after the other. */
  signedHistograms(
    grouping: Grouping,
    first: number,
    limits: Float64Array,
    bins: number,
  ): Float64Array;
  encode(job: EncodeJob): Encoded;
  /** The bit patterns of a float type alone, nothing measured. What the sink is given is good only until it returns. */
  cast(dtype: FloatCast, sink: CodeSink): void;
  /** Encodes, and looks closer; `first` codes and values are listed. */
  inspect(job: EncodeJob, channels: Grouping | null, first: number): Inspected;
  /** Counts finite errors over bins that hold them all. */
  errorCounts(job: EncodeJob, bins: Bins): Float64Array;
  firstValues(count: number): readonly number[];
}
