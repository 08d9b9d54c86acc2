import { afterAll } from 'vitest';
import {
  forked,
  type FromRuntime,
  type RuntimeProcess,
} from '../../electron/engine/runtime/host.ts';
import { RUNTIME_SCRIPT } from './engine.ts';

/**
 * A real runtime process that answers the requests of a file's tests one after the other: a start costs more than
 * most answers. A request that is given up before its answer, and a process that ended, give the next one a new process.
 * Not for tests of how the process starts and ends.
 */
export function sharedRuntime(): () => RuntimeProcess {
  let live: Shared | null = null;
  afterAll(() => live?.end());
  return () => {
    if (live === null || live.hasEnded) live = new Shared();
    return live.forRequest();
  };
}

class Shared {
  hasEnded = false;
  private readonly process = forked(RUNTIME_SCRIPT);
  private onMessage: (message: FromRuntime) => void = () => undefined;
  private onEnd: (how: string) => void = () => undefined;
  private isAnswered = true;

  constructor() {
    this.process.onMessage((message) => {
      if (message.type !== 'progress') this.isAnswered = true;
      this.onMessage(message);
    });
    this.process.onEnd((how) => {
      this.hasEnded = true;
      this.onEnd(how);
    });
  }

  forRequest(): RuntimeProcess {
    if (!this.isAnswered) throw new Error('the shared runtime answers one request at a time');
    return {
      post: (message) => {
        this.isAnswered = false;
        this.process.post(message);
      },
      onMessage: (listener) => (this.onMessage = listener),
      onEnd: (listener) => (this.onEnd = listener),
      kill: () => {
        if (!this.isAnswered) this.end();
      },
    };
  }

  end(): void {
    this.hasEnded = true;
    this.process.kill();
  }
}
