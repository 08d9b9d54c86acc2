import type { IntegerFormat } from '../integer-format.ts';
import type { ParameterRule } from '../parameters.ts';
import type { ChosenCodes, EncodeJob, Parameters } from '../passes.ts';

/** A weight as the matrix that its operator multiplies inputs with: for each output a row of all that is summed for it. */
export interface WeightMatrix {
  readonly rows: number;
  readonly columns: number;
  /** Flat index of an element in the tensor. */
  index(row: number, column: number): number;
  /** The group of the job's grouping that an element is in. */
  group(row: number, column: number): number;
}

/** What is to be solved for one tensor. */
export interface Problem {
  readonly values: Float32Array | Float64Array;
  readonly matrix: WeightMatrix;
  /** The groups, and the scales that the recipe's range method finds. */
  readonly job: EncodeJob;
  readonly format: IntegerFormat;
  /** The rule of the scheme for new scales, each of a group in one row; null where scales stay as they are. */
  readonly rule: ParameterRule | null;
  /** Whether the rule has another scale for a range that is not as wide below 0 as above. */
  readonly signedScale: boolean;
  /**
   * Mean of the products of the inputs of two columns, over all positions of all samples: columns x columns,
   * symmetric, row-major (X^T X / positions).
   */
  readonly moments: Float32Array;
  /** Called now and then; throws to cancel. */
  readonly check: () => void;
}

/** What an algorithm chose. */
export interface Solution {
  readonly parameters: Parameters;
  readonly codes: ChosenCodes;
  /** Mean squared error of the layer's outputs, all rows added up: tr((W - Q) M (W - Q)^T) with the moments M. */
  readonly error: number;
}

/** Chooses scales, zero points and codes for a weight; null where the moments allow none. */
export type Algorithm = (problem: Problem) => Solution | null;

/** Codes of a format, one byte each, at 0. */
export function emptyCodes(count: number, { clip }: IntegerFormat): ChosenCodes {
  return clip.qmin < 0 ? new Int8Array(count) : new Uint8Array(count);
}
