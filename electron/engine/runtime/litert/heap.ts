import * as fs from 'node:fs';
import { AppError } from '../../../../shared/errors.ts';

interface Heap {
  readonly HEAPU8: Uint8Array;
  _malloc(bytes: number): number;
  _free(at: number): void;
}

/** Bytes of a file that are read at a time. */
const CHUNK_BYTES = 16 << 20;

/**
 * Read a whole file into the heap of a WebAssembly module, where the caller frees it.
 * @throws AppError LIMIT where the heap, which ends at 4 GB, has no room
 */
export function loadBytes(heap: Heap, file: string): { at: number; bytes: number } {
  const descriptor = fs.openSync(file, 'r');
  try {
    const bytes = fs.fstatSync(descriptor).size;
    const at = bytes < 2 ** 32 ? heap._malloc(bytes) >>> 0 : 0;
    if (at === 0)
      throw new AppError('LIMIT', 'the model does not fit into the memory of WebAssembly', {
        file,
        found: `${bytes} bytes`,
        expected: 'less than 4 GB for the models and their activations together',
      });
    for (let done = 0; done < bytes;) {
      const part = heap.HEAPU8.subarray(at + done, at + Math.min(bytes, done + CHUNK_BYTES));
      const read = fs.readSync(descriptor, part, 0, part.length, done);
      if (read === 0) throw new AppError('CHANGED', 'became shorter while it was read', { file });
      done += read;
    }
    return { at, bytes };
  } finally {
    fs.closeSync(descriptor);
  }
}
