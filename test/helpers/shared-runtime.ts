import {
  forked,
  type FromRuntime,
  type RuntimeProcess,
} from '../../electron/engine/runtime/host.ts';
import { RUNTIME_SCRIPT } from './engine.ts';

/** Processes that wait for a request. */
const idle: Shared[] = [];

/**
 * A real runtime process that answers requests of all test files of this process, one after the other: a start costs
 * more than most answers. A request that is given up before its answer, and a process that ended, give the next one a
 * new process; so does a request that comes while another is answered. Not for tests of how the process starts and ends.
 */
export function sharedRuntime(): RuntimeProcess {
  const found = idle.pop() ?? new Shared();
  return found.forRequest();
}

class Shared {
  private readonly process = forked(RUNTIME_SCRIPT);
  private hasEnded = false;
  private isAnswered = false;
  private onMessage: (message: FromRuntime) => void = () => undefined;
  private onEnd: (how: string) => void = () => undefined;

  constructor() {
    this.process.onMessage((message) => {
      // Past a limit the process tells so and ends.
      if (message.type === 'error') this.isAnswered = message.error.code !== 'LIMIT';
      if (message.type === 'result') this.isAnswered = true;
      this.onMessage(message);
    });
    this.process.onEnd((how) => {
      this.hasEnded = true;
      this.onEnd(how);
      const at = idle.indexOf(this);
      if (at >= 0) idle.splice(at, 1);
    });
  }

  forRequest(): RuntimeProcess {
    this.isAnswered = false;
    return {
      post: (message) => this.process.post(message),
      onMessage: (listener) => (this.onMessage = listener),
      onEnd: (listener) => (this.onEnd = listener),
      kill: () => {
        [this.onMessage, this.onEnd] = [() => undefined, () => undefined];
        if (!this.isAnswered) this.process.kill();
        else if (!this.hasEnded) idle.push(this);
      },
    };
  }
}
