import type { SourceKind } from '../../../../shared/samples.ts';
import type { ArrayValue } from '../../runtime/inputs.ts';

/** The inputs of one run by their names. */
export type Feeds = Readonly<Record<string, ArrayValue>>;

/** Files that make one sample, or the steps of one sequence. Holds no data: each step is read when it is asked for. */
export interface SampleGroup {
  readonly kind: SourceKind;
  readonly files: readonly string[];
  /** Where the sample is, for messages: a file, or the folder of several. */
  readonly place: string;
  /** More than one for a sequence, whose steps pass the state on. */
  readonly steps: number;
  /** The arrays of a step by name, as the files have them. @throws AppError naming the file. */
  read(step: number): Feeds | Promise<Feeds>;
}
