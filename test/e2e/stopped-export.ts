import * as fs from 'node:fs';

/** How long an export may take to begin, once it was asked for. */
const BEGINS_WITHIN_MS = 60_000;

/** The names of unfinished exports in a folder. */
export function temporaryIn(folder: string): string[] {
  return fs.readdirSync(folder).filter((name) => name.startsWith('.'));
}

/**
 * Asks for an export into a folder and stops the engine, with all its threads, as soon as the temporary file is there, so
 * that not even a small export ends before its test has looked. SIGCONT lets it go on.
 */
export async function stopOnceExporting(
  engine: number,
  folder: string,
  start: () => Promise<void>,
): Promise<void> {
  // What the page asks waits until the engine goes on, and by then this process does nothing but look.
  process.kill(engine, 'SIGSTOP');
  await start();
  process.kill(engine, 'SIGCONT');
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  const end = performance.now() + BEGINS_WITHIN_MS;
  while (temporaryIn(folder).length === 0) {
    if (performance.now() > end) throw new Error(`no export began in ${folder}`);
    Atomics.wait(sleeper, 0, 0, 1);
  }
  process.kill(engine, 'SIGSTOP');
}
