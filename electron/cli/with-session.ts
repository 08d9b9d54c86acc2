import type { WorkerPool } from '../engine/pool.ts';
import { Session } from '../engine/session.ts';
import { onInterrupt } from './interrupt.ts';
import { clearProgress, showProgress } from './output.ts';
import { openWorkers } from './workers.ts';
import type { Progress } from '../../shared/protocol.ts';

export interface Tools {
  readonly session: Session;
  readonly pool: WorkerPool;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: Progress) => void;
}

/** Open a model, do something with it, and leave no worker or progress line behind. Ctrl+C cancels cleanly. */
export async function withSession(
  model: string,
  work: (tools: Tools) => Promise<void>,
): Promise<void> {
  const pool = openWorkers();
  const abort = new AbortController();
  const restore = onInterrupt(() => abort.abort());
  try {
    const session = Session.open(model, pool);
    try {
      await work({
        session,
        pool,
        signal: abort.signal,
        onProgress: ({ what, item, done, of }) =>
          showProgress(`${what}${done > 0 ? ` ${done} of ${of}` : ''}  ${item}`),
      });
    } finally {
      session.close();
    }
  } finally {
    clearProgress();
    restore();
    await pool.close();
  }
}
