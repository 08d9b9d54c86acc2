import * as fs from 'node:fs';
import * as path from 'node:path';
import { Kernels } from './kernels.ts';

let loaded: Kernels | undefined;

/**
 * This thread's kernels, compiled on first use from kernels.wasm, which the build puts beside the
 * bundled worker.
 */
export function loadKernels(): Kernels {
  loaded ??= Kernels.instantiate(fs.readFileSync(path.join(__dirname, 'kernels.wasm')));
  return loaded;
}
