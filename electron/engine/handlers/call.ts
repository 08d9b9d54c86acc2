import type { Progress } from '../../../shared/protocol.ts';
import type { Port } from '../port.ts';

/** One request while it is answered. */
export interface Call {
  readonly port: Port;
  readonly id: number;
  readonly abort: AbortController;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: Progress) => void;
}
