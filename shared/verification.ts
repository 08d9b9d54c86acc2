import type { RuntimeName } from './formats.ts';
import type { Kernels } from './kernels.ts';
import type { SamplesDescription } from './samples.ts';

/** How many values of an output are NaN or infinite, over all samples. */
export interface NonFinite {
  readonly before: number;
  readonly after: number;
  /** NaN where the original gives none. */
  readonly newNaN: number;
  /** Infinite where the original is finite. */
  readonly newInfinity: number;
  /** NaN or infinite in the original, and another value in the export, NaN left out. */
  readonly lost: number;
}

/** How many values are NaN or infinite in the original alone, in words; null where none are. */
export function lostNonFinite({ lost }: NonFinite): string | null {
  if (lost === 0) return null;
  return lost === 1
    ? '1 value that is NaN or infinite in the original is another in the export'
    : `${lost} values that are NaN or infinite in the original are others in the export`;
}

/** What an export gives that its original does not, in words; null where there is nothing. */
export function newNonFinite({ newNaN, newInfinity }: NonFinite): string | null {
  const counts = [
    ...(newNaN > 0 ? [`${newNaN} NaN`] : []),
    ...(newInfinity > 0 ? [`${newInfinity} infinite`] : []),
  ];
  if (counts.length === 0) return null;
  return `${counts.join(' and ')} that the original does not have`;
}

/** How an exported model answers beside its original. */
export interface VerifyResult {
  /** What ran both. */
  readonly runtime: RuntimeName;
  readonly samples: number;
  readonly seed: number;
  /** How pictures became an input; null without pictures. */
  readonly images: SamplesDescription['images'];
  /** How sounds became an input; null without sounds. */
  readonly audio: SamplesDescription['audio'];
  readonly outputs: readonly {
    readonly name: string;
    /** Infinity when equal; null when the original is all zero or an output is not finite. */
    readonly sqnrDb: number | null;
    readonly cosine: number | null;
    readonly maxAbsError: number;
    /** Of class scores [samples, classes]: the share of rows whose greatest value is at the same place; null for others. */
    readonly top1Agreement: number | null;
    /**
     * Of integers, booleans and text, whose SQNR says little: the share of values that are equal. null for floats, and
     * where equal values prove nothing.
     */
    readonly equalShare: number | null;
    readonly nonFinite: NonFinite;
    /** The figures say nothing about the export: the output is constant, random, or was not compared. */
    readonly inconclusive: boolean;
    /** What is special about this output, after its name: "is zero in every sample, ..."; null for nothing. */
    readonly note: string | null;
  }[];
  /**
   * The same with the weights alone, where onnxruntime quantizes inputs on its own, which the export does
   * not ask for (MatMulNBits made of DequantizeLinear and MatMul); absent for other exports.
   */
  readonly weightsOnly?: VerifyResult['outputs'];
  /** Samples whose outputs can be shown: see the request answers; absent where none are kept. */
  readonly kept?: number;
  /** The name of the recipe that the export's metadata has; absent where it has none. */
  readonly exportedUnder?: string;
  /** What is special about the runs as a whole, each a sentence. */
  readonly warnings: readonly string[];
  /** What onnxruntime runs the export on; null where its optimized graph cannot be written or read, and for LiteRT. */
  readonly kernels: Kernels | null;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  /** Medians of one run, in milliseconds. */
  readonly msBefore: number;
  readonly msAfter: number;
}
