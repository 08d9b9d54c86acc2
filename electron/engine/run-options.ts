import type { Progress } from '../../shared/protocol.ts';

/** What work that takes a while is given. */
export interface RunOptions {
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
}
