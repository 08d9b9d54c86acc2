import * as fs from 'node:fs';
import * as path from 'node:path';
import type { InputView } from '../../../shared/answers.ts';
import type { OutputValue } from '../runtime/runnable.ts';

/*
 * The outputs of the samples that a verification ran, on the disk: what each is shown as, and by which labels, is
 * changed without running the models again. A sample is two files: N.json says what N.bin has where.
 */

/** Where outputs are kept, and how many bytes of them. */
export interface Keeping {
  readonly folder: string;
  readonly bytes: number;
}

/** Of an output of texts, so many are kept, and of each so many characters. */
const MOST_TEXTS = 1000;
const MOST_LENGTH = 1000;

interface Stored {
  readonly dims: readonly number[];
  /** Bytes of an element; 0 for texts. */
  readonly width: 0 | 4 | 8;
  readonly at: number;
  readonly length: number;
  readonly texts?: readonly string[];
}

type StoredInput =
  | {
      readonly kind: 'picture';
      readonly name: string;
      readonly size: readonly number[];
      readonly pixels: Stored;
    }
  | {
      readonly kind: 'wave';
      readonly name: string;
      readonly length: number;
      readonly low: Stored;
      readonly high: Stored;
    };

interface StoredSample {
  readonly file: string | null;
  readonly input: StoredInput | null;
  readonly outputs: readonly {
    readonly name: string;
    readonly before: Stored;
    readonly after: Stored;
  }[];
}

/** A sample as it was kept. */
export interface KeptSample {
  readonly file: string | null;
  readonly input: InputView | null;
  readonly outputs: ReadonlyMap<
    string,
    { readonly before: OutputValue; readonly after: OutputValue }
  >;
}

/** Keeps the first samples, as many as fit the limit: the next one that does not fit ends it, as does a full disk. */
export class OutputKeeper {
  count = 0;
  private readonly folder: string;
  private left: number;

  constructor({ folder, bytes }: Keeping) {
    this.folder = folder;
    this.left = bytes;
  }

  /** @param input makes the view of the sample's input; only called for a sample that is kept */
  add(
    index: number,
    sides: {
      readonly before: ReadonlyMap<string, OutputValue>;
      readonly after: ReadonlyMap<string, OutputValue>;
    },
    { file, input }: { readonly file: string | null; readonly input: () => InputView | null },
  ): void {
    if (index !== this.count) return;
    const parts = new Parts();
    const outputs = [...sides.before].flatMap(([name, before]) => {
      const after = sides.after.get(name);
      return after === undefined
        ? []
        : [{ name, before: parts.output(before), after: parts.output(after) }];
    });
    if (parts.bytes > this.left) {
      this.left = 0;
      return;
    }
    const sample: StoredSample = { file, input: storedInput(input(), parts), outputs };
    try {
      parts.write(path.join(this.folder, `${index}.bin`));
      fs.writeFileSync(path.join(this.folder, `${index}.json`), JSON.stringify(sample));
      this.left -= parts.bytes;
      this.count++;
    } catch {
      // A full disk: what is kept so far is shown, and the comparison goes on.
      this.left = 0;
    }
  }
}

function storedInput(input: InputView | null, parts: Parts): StoredInput | null {
  if (input === null) return null;
  const { name } = input;
  if (input.kind === 'wave') {
    const [low, high] = [parts.floats(input.wave.low), parts.floats(input.wave.high)];
    return { kind: 'wave', name, length: input.length, low, high };
  }
  const { picture, width, height } = input;
  const size = [picture.width, picture.height, width, height];
  return { kind: 'picture', name, size, pixels: parts.floats(Float32Array.from(picture.rgba)) };
}

/** The arrays of one sample, one after the other. */
class Parts {
  bytes = 0;
  private readonly arrays: (Float32Array | Float64Array)[] = [];

  output({ dims, data, isText }: OutputValue): Stored {
    if (isText) {
      const texts = Array.from({ length: Math.min(MOST_TEXTS, data.length) }, (_, at) =>
        String(data[at]).slice(0, MOST_LENGTH),
      );
      return { dims, width: 0, at: 0, length: texts.length, texts };
    }
    const values = data as ArrayLike<number>;
    const array = values instanceof Float32Array ? values : Float64Array.from(values);
    return { ...this.floats(array), dims };
  }

  floats(array: Float32Array | Float64Array): Stored {
    const at = this.bytes;
    this.arrays.push(array);
    // A multiple of eight, so that every part is read in place.
    this.bytes += Math.ceil(array.byteLength / 8) * 8;
    const width = array instanceof Float32Array ? 4 : 8;
    return { dims: [array.length], width, at, length: array.length };
  }

  write(file: string): void {
    const fd = fs.openSync(file, 'wx');
    try {
      let at = 0;
      for (const array of this.arrays) {
        writeAll(fd, new Uint8Array(array.buffer, array.byteOffset, array.byteLength), at);
        at += Math.ceil(array.byteLength / 8) * 8;
      }
      fs.ftruncateSync(fd, this.bytes);
    } finally {
      fs.closeSync(fd);
    }
  }
}

/** A write may end early, or not take more than 2 GB. */
function writeAll(fd: number, bytes: Uint8Array, at: number): void {
  for (let done = 0; done < bytes.length;) {
    const wanted = Math.min(bytes.length - done, 1 << 30);
    done += fs.writeSync(fd, bytes, done, wanted, at + done);
  }
}

/** Read a sample that was kept. */
export async function readKept(folder: string, index: number): Promise<KeptSample> {
  const stored = JSON.parse(
    await fs.promises.readFile(path.join(folder, `${index}.json`), 'utf8'),
  ) as StoredSample;
  const bytes = new Uint8Array(await fs.promises.readFile(path.join(folder, `${index}.bin`)));
  // In a buffer of its own, so that its parts lie at multiples of eight.
  const { buffer } = bytes;
  const array = ({ width, at, length }: Stored): Float32Array | Float64Array =>
    width === 4 ? new Float32Array(buffer, at, length) : new Float64Array(buffer, at, length);
  const output = (each: Stored): OutputValue =>
    each.texts === undefined
      ? { dims: each.dims, data: array(each), isText: false }
      : { dims: each.dims, data: each.texts, isText: true };
  return {
    file: stored.file,
    input: inputOf(stored.input, array),
    outputs: new Map(
      stored.outputs.map(({ name, before, after }) => [
        name,
        { before: output(before), after: output(after) },
      ]),
    ),
  };
}

function inputOf(
  stored: StoredInput | null,
  array: (part: Stored) => Float32Array | Float64Array,
): InputView | null {
  if (stored === null) return null;
  const { name } = stored;
  if (stored.kind === 'wave') {
    const wave = {
      low: Float32Array.from(array(stored.low)),
      high: Float32Array.from(array(stored.high)),
    };
    return { kind: 'wave', name, length: stored.length, wave };
  }
  const [across = 0, down = 0, width = 0, height = 0] = stored.size;
  const rgba = new Uint8ClampedArray(array(stored.pixels));
  return { kind: 'picture', name, picture: { width: across, height: down, rgba }, width, height };
}
