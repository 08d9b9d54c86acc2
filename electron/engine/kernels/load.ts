import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { memoryLimit } from '../memory-limit.ts';
import { Kernels, windowBytesFor } from './kernels.ts';

let loaded: Kernels | undefined;

/**
 * This thread's kernels, compiled on first use from kernels.wasm, which the build puts beside the
 * bundled worker.
 */
export function loadKernels(): Kernels {
  if (loaded === undefined) {
    const wasm = fs.readFileSync(path.join(__dirname, 'kernels.wasm'));
    loaded = Kernels.instantiate(wasm, windowBytesFor(os.cpus().length, memoryLimit()));
  }
  return loaded;
}
