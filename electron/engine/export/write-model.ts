import * as fs from 'node:fs';
import { AppError } from '../../../shared/errors.ts';
import type { FileSource } from '../source.ts';
import { AtomicFile, sweepOrphans } from './atomic-file.ts';
import { pieceLength, tensorOffsets, type Layout } from './layout.ts';
import { writeFully } from './write-fully.ts';
import * as path from 'node:path';

/** Bytes copied between two looks at the abort signal. */
const COPY_CHUNK = 4 << 20;

/** Where a worker writes one tensor's parts, in a file that exists already at its full length. */
export interface EncodePlace {
  readonly path: string;
  readonly codes: number;
  readonly scale: number | null;
  readonly zeroPoint: number | null;
}

export interface WriteRequest {
  readonly layout: Layout;
  readonly files: readonly FileSource[];
  readonly target: string;
  readonly signal: AbortSignal;
  /** Quantize one tensor into its place; run for all tensors at once, bounded by the pool. */
  readonly encode: (tensor: number, place: EncodePlace) => Promise<void>;
  readonly onProgress: (bytesDone: number) => void;
}

/**
 * Write a laid-out model. Lengths are known beforehand, so that workers write their tensors straight
 * into place while the untouched bytes are copied through.
 * On any failure or abort the target stays as it was and no temporary file is left.
 */
export async function writeModel(request: WriteRequest): Promise<void> {
  const { layout, files, target, signal } = request;
  sweepOrphans(path.dirname(path.resolve(target)));
  const file = new AtomicFile(target, files);
  try {
    const progress = counter(request.onProgress);
    const encodings = encodeAll(request, file, progress);
    // Settle the workers before the file goes away, even when copying fails.
    const copied = copyAll(request, file, progress).catch((error: unknown) => error);
    const results = await Promise.allSettled([...encodings]);
    const copyFailure = await copied;
    const failure = results.find((result) => result.status === 'rejected');
    if (copyFailure instanceof Error) throw copyFailure;
    if (failure !== undefined) throw failure.reason as Error;
    for (const source of files) source.assertUnchanged();
    const size = fs.fstatSync(file.fd).size;
    if (size !== layout.bytes)
      throw new AppError('IO', 'came out at the wrong size', {
        file: target,
        found: `${size} bytes`,
        expected: `${layout.bytes}`,
      });
    throwIfAborted(signal);
    file.commit();
  } catch (error) {
    file.discard();
    throw error;
  }
}

function encodeAll(
  request: WriteRequest,
  file: AtomicFile,
  progress: (bytes: number) => void,
): Promise<void>[] {
  const places = tensorOffsets(request.layout.pieces);
  const lengths = new Map<number, number>();
  for (const piece of request.layout.pieces)
    if (piece.kind === 'tensor')
      lengths.set(piece.tensor, (lengths.get(piece.tensor) ?? 0) + piece.length);
  return [...places].map(async ([tensor, place]) => {
    await request.encode(tensor, { path: file.temporary, ...place });
    progress(lengths.get(tensor) ?? 0);
  });
}

async function copyAll(
  request: WriteRequest,
  file: AtomicFile,
  progress: (bytes: number) => void,
): Promise<void> {
  const buffer = new Uint8Array(COPY_CHUNK);
  let position = 0;
  for (const piece of request.layout.pieces) {
    if (piece.kind === 'bytes') writeFully(file.fd, piece.bytes, position, request.target);
    if (piece.kind === 'copy') {
      const source = request.files[piece.file]!;
      for (let done = 0; done < piece.length;) {
        const part = buffer.subarray(0, Math.min(buffer.length, piece.length - done));
        source.readInto(part, piece.offset + done);
        writeFully(file.fd, part, position + done, request.target);
        done += part.length;
        progress(part.length);
        await breathe();
        throwIfAborted(request.signal);
      }
    }
    position += pieceLength(piece);
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

export function throwIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw new AppError('CANCELLED', 'cancelled');
}
