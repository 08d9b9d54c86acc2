import * as os from 'node:os';
import * as path from 'node:path';
import { WorkerPool } from '../engine/pool.ts';
import { Session } from '../engine/session.ts';
import { progressLine } from './output.ts';
import type { Progress } from '../../shared/protocol.ts';

export interface Tools {
  readonly session: Session;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: Progress) => void;
}

/** Ctrl+C, a request to end, and a closed terminal. */
const INTERRUPTIONS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
let interruption: NodeJS.Signals | null = null;

/** The exit status of a command that a signal interrupted, 128 and its number, as shells have it; null without one. */
export function interruptedStatus(): number | null {
  return interruption === null ? null : 128 + os.constants.signals[interruption];
}

/** Open a model, do something with it, and leave no worker or progress line behind. Ctrl+C cancels cleanly. */
export async function withSession(
  model: string,
  work: (tools: Tools) => Promise<void>,
): Promise<void> {
  const pool = new WorkerPool(path.join(__dirname, 'worker.js'));
  const abort = new AbortController();
  const onInterrupt = (signal: NodeJS.Signals): void => {
    interruption = signal;
    abort.abort();
  };
  for (const signal of INTERRUPTIONS) process.once(signal, onInterrupt);
  const line = progressLine();
  try {
    const session = Session.open(model, pool);
    try {
      await work({
        session,
        signal: abort.signal,
        onProgress: ({ what, item, done, of }) =>
          line.update(`${what}${done > 0 ? ` ${done} of ${of}` : ''}  ${item}`),
      });
    } finally {
      session.close();
    }
  } finally {
    line.end();
    for (const signal of INTERRUPTIONS) process.off(signal, onInterrupt);
    await pool.close();
  }
}
