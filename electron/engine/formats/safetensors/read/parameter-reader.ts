import type { ByteRange, StoredQuantization } from '../../../../../shared/model.ts';
import type { FileSource } from '../../../source.ts';
import { readNumbers } from '../../../tensor-bytes.ts';
import type { HeaderTensor } from './read-header.ts';

/**
 * Scales and zero points of a model that are read when it is opened, in all: 32 MiB as numbers. Those of
 * groups may be as large as weights; the ones beyond are left in the file, and shown as not read.
 */
export const MAX_PARAMETERS = 1 << 22;

/**
 * Reads scales and zero points. A tensor that many weights share is read once, and all of them have the
 * same array: a small file could otherwise stand for gigabytes.
 */
export class ParameterReader {
  readonly #files: readonly FileSource[];
  readonly #rangesOf: (tensor: HeaderTensor) => readonly ByteRange[];
  /** By name and type, as packed zero points are read by a type that the header does not give; then by divisor. */
  readonly #known = new Map<string, readonly number[]>();
  readonly #zeros = new Map<number, readonly number[]>();
  #read = 0;

  constructor(
    files: readonly FileSource[],
    rangesOf: (tensor: HeaderTensor) => readonly ByteRange[],
  ) {
    this.#files = files;
    this.#rangesOf = rangesOf;
  }

  /** A tensor's values over a divisor; none where the limit is reached. */
  values(tensor: HeaderTensor, divisor = 1): readonly number[] {
    const { name, dtype, elements } = tensor;
    const key = keyOf(tensor, divisor);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    if (!this.#take(elements)) return [];
    const data = { encoding: 'raw', ranges: this.#rangesOf(tensor) } as const;
    const stored = readNumbers(this.#files, { name, dtype, elements, data });
    const values = divisor === 1 ? stored : stored.map((value) => value / divisor);
    this.#known.set(key, values);
    return values;
  }

  /** Scales and their stored zero points: where the limit is reached neither, as scales alone would say that all are 0. */
  pair(
    scale: HeaderTensor,
    zeroPoint: HeaderTensor,
  ): Pick<StoredQuantization, 'scale' | 'zeroPoint'> {
    const unknown = [scale, zeroPoint].filter((tensor) => !this.#known.has(keyOf(tensor, 1)));
    const count = unknown.reduce((sum, { elements }) => sum + elements, 0);
    if (this.#read + count > MAX_PARAMETERS) return { scale: [], zeroPoint: [] };
    return { scale: this.values(scale), zeroPoint: this.values(zeroPoint) };
  }

  /** As many zero points of 0; where the limit is reached none, which says the same. */
  zeros(count: number): readonly number[] {
    const known = this.#zeros.get(count);
    if (known !== undefined) return known;
    if (!this.#take(count)) return [];
    const zeros = new Array<number>(count).fill(0);
    this.#zeros.set(count, zeros);
    return zeros;
  }

  #take(count: number): boolean {
    if (this.#read + count > MAX_PARAMETERS) return false;
    this.#read += count;
    return true;
  }
}

function keyOf({ name, dtype, elements }: HeaderTensor, divisor: number): string {
  return `${dtype} ${elements} ${divisor} ${name}`;
}
