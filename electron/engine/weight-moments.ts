import type { WeightInput } from './formats/format.ts';

/** Inputs that are summed for one output, of the weights whose moments are observed: 128 MB of them in the runtime, 64 MB in a file. */
export const MOST_COLUMNS = 4096;

/** Second moments of the inputs of a model's weights, in files. */
export interface WeightMoments {
  /** Of the weights that have any; why not, where an operator is of a kind that could. */
  readonly byTensor: ReadonlyMap<
    number,
    { readonly input: WeightInput; readonly file: string } | { readonly reason: string }
  >;
  /** Where the files are; solutions may be put there. */
  readonly folder: string;
  /** Remove the folder. */
  readonly close: () => void;
}
