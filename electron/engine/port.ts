import type { FromEngine } from '../../shared/protocol.ts';

/** One end of a message channel, whatever kind: Electron's MessagePortMain or Node's MessagePort. */
export interface Port {
  post(message: FromEngine): void;
  onMessage(listener: (message: unknown) => void): void;
}
