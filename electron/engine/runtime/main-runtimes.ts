import type { EngineToMain, MainToEngine } from '../../../shared/processes.ts';
import { howItEnded, type FromRuntime, type RuntimeProcess } from './host.ts';

type FromMain = Extract<MainToEngine, { type: 'runtime-message' | 'runtime-ended' }>;

interface Listeners {
  message: (message: FromRuntime) => void;
  end: (how: string) => void;
}

/**
 * Runtime processes of the app. The engine is a utility process, which cannot start another, and a
 * packaged Electron does not run as Node; so main starts and kills them, and hands messages on.
 */
export class MainRuntimes {
  private readonly post: (message: EngineToMain) => void;
  private readonly running = new Map<number, Listeners>();
  private last = 0;

  constructor(post: (message: EngineToMain) => void) {
    this.post = post;
  }

  start(): RuntimeProcess {
    const id = ++this.last;
    const listeners: Listeners = { message: () => undefined, end: () => undefined };
    this.running.set(id, listeners);
    this.post({ type: 'runtime-start', id });
    return {
      post: (message) => this.post({ type: 'runtime-post', id, message }),
      onMessage: (listener) => (listeners.message = listener),
      onEnd: (listener) => (listeners.end = listener),
      kill: () => {
        this.running.delete(id);
        this.post({ type: 'runtime-kill', id });
      },
    };
  }

  receive(message: FromMain): void {
    const listeners = this.running.get(message.id);
    if (message.type === 'runtime-message') listeners?.message(message.message as FromRuntime);
    else listeners?.end(howItEnded(`exit status ${message.code}`, message.said));
  }
}
