import * as fs from 'node:fs';
import { AppError, ioError } from '../../../../shared/errors.ts';
import type { InputFacts } from '../../runtime/dimensions.ts';

/** Sample files are read whole; larger ones are no sample. */
export const MAX_FILE_BYTES = 1 << 30;
/** A file may be larger than the values of its input by a header: NumPy pads its own to 64 bytes. */
const MAX_HEADER_BYTES = 1 << 16;

/** The most bytes that an array for these inputs has: their own size where it is fixed, and a named limit otherwise. */
export function mostBytes(inputs: readonly InputFacts[]): number {
  const sizes = inputs.map(({ shape }) =>
    shape.length > 0 && shape.every((dim) => typeof dim === 'number')
      ? // No element is wider than eight bytes; as varints, ten.
        shape.reduce<number>((product, dim) => product * Number(dim), 10) + MAX_HEADER_BYTES
      : MAX_FILE_BYTES,
  );
  return sizes.reduce((most, size) => Math.min(MAX_FILE_BYTES, Math.max(most, size)), 0);
}

/** The names in a folder, sorted. @throws AppError when it cannot be read. */
export function list(folder: string): string[] {
  try {
    return fs.readdirSync(folder).sort();
  } catch (error) {
    throw ioError('cannot be read for samples', folder, error);
  }
}

/** A regular file of bounded size; a pipe, a device or a link to one never blocks or ends. */
export function readWhole(file: string, most: number): Uint8Array {
  return withFile(file, (fd, size) => {
    if (size > most) throw tooLarge(file, 'size', `${size} bytes`, most);
    return readRange(file, fd, 0, size);
  });
}

/** Opens a regular file to read parts of it. @throws AppError naming the file. */
export function withFile<T>(
  file: string,
  use: (fd: number, size: number) => T,
  what = 'a sample',
): T {
  let fd: number | null = null;
  try {
    fd = fs.openSync(file, fs.constants.O_RDONLY | (fs.constants.O_NONBLOCK ?? 0));
    const status = fs.fstatSync(fd);
    if (!status.isFile())
      throw new AppError('NOT_A_FILE', `cannot be read as ${what}`, {
        file,
        found: 'a folder, pipe or device',
        expected: 'a regular file',
      });
    return use(fd, status.size);
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw ioError('cannot be read', file, error);
  } finally {
    if (fd !== null) fs.closeSync(fd);
  }
}

/** So many bytes of an open file. @throws AppError CHANGED when it has become shorter. */
export function readRange(file: string, fd: number, from: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length;) {
    const read = fs.readSync(fd, bytes, done, length - done, from + done);
    if (read === 0) throw new AppError('CHANGED', 'became shorter while it was read', { file });
    done += read;
  }
  return bytes;
}

/** The error for a file or an array that no input of the model is large enough for. */
export function tooLarge(file: string, field: string, found: string, most: number): AppError {
  return new AppError('LIMIT', "is too large for the model's inputs", {
    file,
    field,
    found,
    expected: `at most ${most} bytes`,
  });
}
