import { spawnSync } from 'node:child_process';
import { vi } from 'vitest';
import { runCommandLine } from '../../electron/cli/run.ts';
import { useRuntime } from '../../electron/cli/runtime.ts';
import { useWorkers } from '../../electron/cli/workers.ts';
import { CLI_SCRIPT, testPool } from './engine.ts';
import { sharedRuntime } from './shared-runtime.ts';

/** What a command left behind. */
export interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Run the built command line in a process of its own, as users do. */
export function runProcess(...args: readonly string[]): Ran {
  return spawnSync(process.execPath, [CLI_SCRIPT, ...args], { encoding: 'utf8' });
}

/**
 * Run a command in this process, with the workers and the runtime that all tests share: to start those takes
 * longer than most commands.
 */
export async function runCommand(...args: readonly string[]): Promise<Ran> {
  useWorkers(testPool);
  useRuntime(sharedRuntime);
  const { said, restore } = listen();
  try {
    const status = await runCommandLine(args);
    return { status, ...said };
  } finally {
    restore();
  }
}

/** Take what is printed in place of the terminal. */
function listen(): { said: { stdout: string; stderr: string }; restore: () => void } {
  const said = { stdout: '', stderr: '' };
  const take = (stream: 'stdout' | 'stderr', text: unknown) => void (said[stream] += String(text));
  const listeners = process.stdout.listeners('error').concat(process.stderr.listeners('error'));
  const spies = [
    vi.spyOn(console, 'log').mockImplementation((text) => take('stdout', `${text}\n`)),
    vi.spyOn(console, 'error').mockImplementation((text) => take('stderr', `${text}\n`)),
    vi.spyOn(process.stdout, 'write').mockImplementation((text) => (take('stdout', text), true)),
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => (take('stderr', text), true)),
  ];
  const restore = (): void => {
    for (const spy of spies) spy.mockRestore();
    for (const stream of [process.stdout, process.stderr])
      for (const listener of stream.listeners('error') as (() => void)[])
        if (!listeners.includes(listener)) stream.off('error', listener);
  };
  return { said, restore };
}
