import * as fs from 'node:fs';
import { AppError, ioError } from '../../shared/errors.ts';

/** Writes are split below this: one write may take at most 2^31 - 4096 bytes on Linux. */
const WRITE_CHUNK = 1 << 30;

/** Write all bytes at a position of an open file. A short write goes on; one of nothing is an error. */
export function writeFully(fd: number, bytes: Uint8Array, position: number, path: string): void {
  let done = 0;
  while (done < bytes.length) {
    let count: number;
    try {
      count = fs.writeSync(
        fd,
        bytes,
        done,
        Math.min(bytes.length - done, WRITE_CHUNK),
        position + done,
      );
    } catch (error) {
      throw ioError('cannot be written', path, error);
    }
    if (count <= 0)
      throw new AppError('IO', 'cannot be written', {
        file: path,
        offset: position + done,
        found: '0 bytes written',
        expected: `${bytes.length - done}`,
      });
    done += count;
  }
}
