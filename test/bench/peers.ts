import { spawnSync } from 'node:child_process';
import * as path from 'node:path';

/** Milliseconds that numpy and torch take on one thread. */
export interface KernelPeers {
  readonly numpyHistogram: number;
  readonly torchHistc: number;
}

/** Milliseconds that GPTQ takes in numpy, both orders of columns, on one thread. */
export interface GptqPeer {
  readonly gptq: number;
}

/** Milliseconds that PyTorch takes for the report of a whole checkpoint, on all cores. */
export interface ModelPeer {
  readonly report: number;
  readonly threads: number;
}

/**
 * Runs test/reference/bench.py, or says why not. The interpreter is QUANTSCOPE_PYTHON, or python3.
 */
export function pythonPeer<T>(root: string, args: readonly string[]): T | string {
  const python = process.env['QUANTSCOPE_PYTHON'] ?? 'python3';
  const script = path.join(root, 'test/reference/bench.py');
  const { error, status, stdout, stderr } = spawnSync(python, [script, ...args], {
    encoding: 'utf8',
    maxBuffer: 1 << 24,
  });
  if (error !== undefined) return `${python} is not installed`;
  if (status !== 0) return /No module named '(\w+)'/.exec(stderr)?.[0] ?? stderr.trim().slice(-80);
  return JSON.parse(stdout) as T;
}
