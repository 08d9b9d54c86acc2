import type { EngineToMain, MainToEngine } from '../../shared/processes.ts';
import { startRuntimeProcess, type RuntimeChild } from './runtime-process.ts';

type FromEngine = Extract<EngineToMain, { id: number }>;

/** The runtime processes of one engine. They end with it: nobody else waits for their answers. */
export class RuntimeProcesses {
  private readonly post: (message: MainToEngine) => void;
  private readonly running = new Map<number, RuntimeChild>();

  constructor(post: (message: MainToEngine) => void) {
    this.post = post;
  }

  receive(message: FromEngine): void {
    const { id } = message;
    if (message.type === 'runtime-start') this.start(id);
    else if (message.type === 'runtime-post') this.running.get(id)?.post(message.message);
    else this.kill(id);
  }

  killAll(): void {
    for (const id of [...this.running.keys()]) this.kill(id);
  }

  private start(id: number): void {
    const child = startRuntimeProcess({
      message: (message) => this.post({ type: 'runtime-message', id, message }),
      end: (code, said) => {
        if (this.running.delete(id)) this.post({ type: 'runtime-ended', id, code, said });
      },
    });
    this.running.set(id, child);
  }

  private kill(id: number): void {
    this.running.get(id)?.kill();
    this.running.delete(id);
  }
}
