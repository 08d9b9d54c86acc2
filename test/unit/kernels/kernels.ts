import { readFileSync } from 'node:fs';
import type { SourceDtype } from '../../../shared/dtypes.ts';
import { valueSource, type ByteSource } from '../../../electron/engine/kernels/blocks.ts';
import { Kernels } from '../../../electron/engine/kernels/kernels.ts';
import { simdPasses } from '../../../electron/engine/kernels/simd-passes.ts';
import type { Passes } from '../../../electron/engine/quantize/passes.ts';
import { plainPasses } from '../../../electron/engine/kernels/reference/plain-passes.ts';

/** A small window, so that tensors of a few blocks are read in several pieces. */
export const SMALL_WINDOW = 4 * 65536;

/** The kernels as `npm run build` leaves them. */
export function buildKernels(windowBytes: number = SMALL_WINDOW): Kernels {
  const wasm = readFileSync(new URL('../../../dist/kernels.wasm', import.meta.url));
  return Kernels.instantiate(wasm, windowBytes);
}

/** Bytes in memory as a source. */
export function bytesSource(bytes: Uint8Array, dtype: SourceDtype): ByteSource {
  const width = dtype === 'float64' ? 8 : dtype === 'float32' ? 4 : 2;
  return {
    elements: bytes.length / width,
    dtype,
    read: (target, offset) => target.set(bytes.subarray(offset, offset + target.length)),
  };
}

/** The two of each pass over the same bytes: the kernels, and their reference implementation. */
export function bothPasses(
  kernels: Kernels,
  bytes: Uint8Array,
  dtype: SourceDtype,
): { simd: Passes; plain: Passes } {
  const source = bytesSource(bytes, dtype);
  return {
    simd: simdPasses(kernels, source),
    plain: plainPasses(valueSource(source)),
  };
}
