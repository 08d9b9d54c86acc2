import * as path from 'node:path';
import type { Runtime } from '../engine/runtime/host.ts';

let runtime: Runtime = path.join(__dirname, 'runtime.js');

/** How commands run models. */
export function currentRuntime(): Runtime {
  return runtime;
}

/** Have commands run models in another way: a packaged Electron cannot start Node processes. */
export function useRuntime(other: Runtime): void {
  runtime = other;
}
