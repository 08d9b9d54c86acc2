import type { RuntimeName } from '../../../shared/formats.ts';
import { float16Value } from '../../../shared/float16.ts';
import type { Kernels } from '../../../shared/kernels.ts';
import type { InputFacts } from './dimensions.ts';
import type { ArrayData, ArrayValue } from './inputs.ts';

/** One output of a run: numbers (64-bit integers and float16 converted), or strings. */
export interface OutputValue {
  readonly dims: readonly number[];
  readonly data: ArrayLike<number> | readonly string[];
  readonly isText: boolean;
}

/** A model that a runtime has loaded. */
export interface RunnableModel {
  readonly file: string;
  readonly runtime: RuntimeName;
  readonly inputs: readonly InputFacts[];
  /** Those among the outputs that can be fetched. */
  readonly outputs: readonly InputFacts[];
  /** Why an output cannot be fetched, by its name. */
  readonly unfetched: ReadonlyMap<string, string>;
  /** What a user must know of all runs, each a sentence. */
  readonly warnings: readonly string[];
  /** Which kernels it runs on; null where the runtime does not tell. */
  readonly kernels: Kernels | null;
  /** Run once, with all outputs that can be fetched. @throws whatever the runtime throws. */
  run(feeds: Readonly<Record<string, ArrayValue>>): Promise<ReadonlyMap<string, OutputValue>>;
  /**
   * The same model without what the runtime rounds on its own, beyond what the file asks for; null where it
   * rounds nothing. Absent for runtimes that never do.
   */
  withoutRounding?(): Promise<RunnableModel | null>;
  release(): Promise<void>;
}

export interface LoadOptions {
  /** The values are to be those that the file says, unfused and unfolded. */
  readonly isUnchanged?: boolean;
  /** Where the runtime may write the graph as it runs it, to tell its kernels. */
  readonly optimized?: string;
  /** Its runs are timed and the times shown: threads wait as the runtime's user has them wait. */
  readonly isTimed?: boolean;
}

/** What a runtime returned of a type as numbers. */
export function numbersOf(
  data: Exclude<ArrayData, readonly string[]>,
  type: string,
): ArrayLike<number> {
  // Where JavaScript has a Float16Array (Node 24, Electron 38), the values come as numbers already.
  if (type === 'float16' && data instanceof Uint16Array)
    return Float64Array.from(data, float16Value);
  if (data instanceof BigInt64Array || data instanceof BigUint64Array)
    return Float64Array.from(data as BigInt64Array, Number);
  return data;
}
