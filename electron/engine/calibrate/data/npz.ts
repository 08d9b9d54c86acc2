import { Unzip, UnzipInflate } from 'fflate';
import { AppError } from '../../../../shared/errors.ts';
import type { InputFacts } from '../../runtime/dimensions.ts';
import type { ArrayValue } from '../../runtime/inputs.ts';
import { parseNpy } from './npy.ts';
import { MAX_FILE_BYTES, mostBytes, readWhole, tooLarge } from './sample-file.ts';

/** Archives are unpacked in steps, so that one that grows past its limit is noticed early (1:1032 at most). */
const UNZIP_STEP_BYTES = 1 << 14;

/** The arrays of a .npz archive by name. @throws AppError naming the file. */
export function readNpz(
  file: string,
  inputs: readonly InputFacts[],
): Readonly<Record<string, ArrayValue>> {
  const each = mostBytes(inputs);
  const most = Math.min(MAX_FILE_BYTES, each * Math.max(1, inputs.length));
  const bytes = readWhole(file, most);
  const arrays = new Map<string, Uint8Array>();
  try {
    unpack(bytes, (name, size) => {
      if (size > each) throw tooLarge(file, name, `over ${each} bytes unpacked`, each);
    }).forEach((unpacked, name) => arrays.set(name, unpacked));
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw notAnArchive(file, String(error), error);
  }
  if (arrays.size === 0) throw notAnArchive(file, 'no .npy file in it');
  return Object.fromEntries(
    [...arrays].map(([name, values]) => [name.slice(0, -'.npy'.length), parseNpy(values, file)]),
  );
}

function notAnArchive(file: string, found: string, cause?: unknown): AppError {
  const details = { file, field: 'archive', found, expected: 'a zip of .npy files' };
  return new AppError('MALFORMED', 'is not a .npz archive', details, cause);
}

/**
 * The .npy files of a zip. What an entry claims of its size is not believed: what comes out is counted.
 * @param check throws when an entry of that name has become too large
 */
function unpack(
  bytes: Uint8Array,
  check: (name: string, size: number) => void,
): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  const unzip = new Unzip((entry) => {
    if (!entry.name.endsWith('.npy')) return;
    const chunks: Uint8Array[] = [];
    let size = 0;
    entry.ondata = (error, chunk, final) => {
      if (error !== null) throw error;
      size += chunk.length;
      check(entry.name, size);
      chunks.push(chunk);
      if (final) files.set(entry.name, Buffer.concat(chunks));
    };
    entry.start();
  });
  unzip.register(UnzipInflate);
  for (let at = 0; at < bytes.length; at += UNZIP_STEP_BYTES)
    unzip.push(bytes.subarray(at, at + UNZIP_STEP_BYTES), at + UNZIP_STEP_BYTES >= bytes.length);
  return files;
}
