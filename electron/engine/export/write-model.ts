import * as fs from 'node:fs';
import { AppError } from '../../../shared/errors.ts';
import { throwIfAborted } from '../cancel.ts';
import type { FileSource } from '../source.ts';
import { AtomicFile } from '../../files/atomic-file.ts';
import { writeFully } from '../../files/write-fully.ts';
import { commitSet } from './commit-set.ts';
import {
  pieceLength,
  piecesLength,
  tensorOffsets,
  type Layout,
  type Piece,
  type TensorPart,
} from './layout.ts';
import * as path from 'node:path';

/** Bytes copied between two looks at the abort signal. */
const COPY_CHUNK = 4 << 20;

/** Where a worker writes the parts of one tensor, in files that exist already. */
export type EncodePlace = Readonly<
  Partial<Record<TensorPart, { readonly path: string; readonly offset: number }>>
>;

export interface WriteRequest {
  readonly layout: Layout;
  readonly files: readonly FileSource[];
  readonly target: string;
  /** Paths of files that the export replaces besides its target, removed once it is in place. */
  readonly replaced: readonly string[];
  readonly signal: AbortSignal;
  /** Quantize one tensor into its place; run for all tensors at once, bounded by the pool. */
  readonly encode: (tensor: number, place: EncodePlace) => Promise<void>;
  readonly onProgress: (bytesDone: number) => void;
}

/** One file of an export, the model first, and what goes into it. */
interface Output {
  readonly file: AtomicFile;
  readonly pieces: readonly Piece[];
}

/**
 * Write a laid-out model. Lengths are known beforehand, so that workers write their tensors straight
 * into place while the untouched bytes are copied through. Every file is on the disk whole before the
 * first is put in place (commit-set.ts). On any failure or abort before that the targets stay as they
 * were, and no temporary file is left.
 */
export async function writeModel(request: WriteRequest): Promise<void> {
  const { files, signal } = request;
  const outputs: Output[] = [];
  try {
    openOutputs(request, outputs);
    const progress = counter(request.onProgress);
    const encodings = encodeAll(request, outputs, progress);
    // Settle the workers before the files go away, even when copying fails.
    const copied = copyAll(request, outputs, progress).catch((error: unknown) => error);
    const results = await Promise.allSettled(encodings);
    const copyFailure = await copied;
    const failure = results.find((result) => result.status === 'rejected');
    if (copyFailure instanceof Error) throw copyFailure;
    if (failure !== undefined) throw failure.reason as Error;
    for (const source of files) source.assertUnchanged();
    for (const output of outputs) checkSize(output);
    throwIfAborted(signal);
    const [main, ...parts] = outputs.map(({ file }) => file);
    commitSet(main!, parts, request.replaced);
  } catch (error) {
    for (const { file } of outputs) file.discard();
    throw error;
  }
}

function openOutputs({ layout, files, target }: WriteRequest, outputs: Output[]): void {
  const folder = path.dirname(path.resolve(target));
  // No file of an export is open to more people than any file that it was made of.
  const mode = files.reduce((bits, file) => bits & file.mode, 0o666);
  const add = (file: string, pieces: readonly Piece[]): void => {
    outputs.push({ file: new AtomicFile(file, files, mode), pieces });
  };
  add(target, layout.pieces);
  for (const { name, pieces } of layout.beside) add(path.join(folder, name), pieces);
}

function checkSize({ file, pieces }: Output): void {
  const found = fs.fstatSync(file.fd).size;
  const expected = piecesLength(pieces);
  if (found === expected) return;
  throw new AppError('IO', 'came out at the wrong size', {
    file: file.target,
    found: `${found} bytes`,
    expected: `${expected}`,
  });
}

function encodeAll(
  request: WriteRequest,
  outputs: readonly Output[],
  progress: (bytes: number) => void,
): Promise<void>[] {
  const places = new Map<number, Partial<Record<TensorPart, { path: string; offset: number }>>>();
  const lengths = new Map<number, number>();
  for (const { file, pieces } of outputs) {
    for (const { tensor, part, offset } of tensorOffsets(pieces))
      places.set(tensor, { ...places.get(tensor), [part]: { path: file.temporary, offset } });
    for (const piece of pieces)
      if (piece.kind === 'tensor')
        lengths.set(piece.tensor, (lengths.get(piece.tensor) ?? 0) + piece.length);
  }
  return [...places].map(async ([tensor, place]) => {
    try {
      await request.encode(tensor, place);
    } catch (error) {
      throw namingTarget(error, outputs);
    }
    progress(lengths.get(tensor) ?? 0);
  });
}

/** A worker knows a file by its temporary name; who reads the error knows the target. */
function namingTarget(error: unknown, outputs: readonly Output[]): unknown {
  if (!(error instanceof AppError)) return error;
  const output = outputs.find(({ file }) => file.temporary === error.details.file);
  if (output === undefined) return error;
  const { temporary, target } = output.file;
  const data = error.toData();
  return AppError.fromData({
    ...data,
    file: target,
    message: data.message.replace(temporary, () => target),
  });
}

async function copyAll(
  request: WriteRequest,
  outputs: readonly Output[],
  progress: (bytes: number) => void,
): Promise<void> {
  const buffer = new Uint8Array(COPY_CHUNK);
  for (const { file, pieces } of outputs) {
    let position = 0;
    for (const piece of pieces) {
      if (piece.kind === 'bytes') writeFully(file.fd, piece.bytes, position, file.target);
      if (piece.kind === 'copy') {
        const source = request.files[piece.file]!;
        for (let done = 0; done < piece.length;) {
          const part = buffer.subarray(0, Math.min(buffer.length, piece.length - done));
          source.readInto(part, piece.offset + done);
          writeFully(file.fd, part, position + done, file.target);
          done += part.length;
          progress(part.length);
          await breathe();
          throwIfAborted(request.signal);
        }
      }
      position += pieceLength(piece);
    }
  }
}

function counter(onProgress: (bytesDone: number) => void): (bytes: number) => void {
  let done = 0;
  return (bytes) => {
    done += bytes;
    onProgress(done);
  };
}

/** Let messages in, a cancel among them. */
function breathe(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
