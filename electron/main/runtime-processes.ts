import * as path from 'node:path';
import { utilityProcess, type UtilityProcess } from 'electron';
import type { EngineToMain, MainToEngine } from '../../shared/protocol.ts';

type FromEngine = Extract<EngineToMain, { id: number }>;

/** How much of what a dying process says is kept. */
const KEPT_CHARACTERS = 4096;

/** The runtime processes of one engine. They end with it: nobody else waits for their answers. */
export class RuntimeProcesses {
  private readonly post: (message: MainToEngine) => void;
  private readonly running = new Map<number, UtilityProcess>();

  constructor(post: (message: MainToEngine) => void) {
    this.post = post;
  }

  receive(message: FromEngine): void {
    const { id } = message;
    if (message.type === 'runtime-start') this.start(id);
    else if (message.type === 'runtime-post') this.running.get(id)?.postMessage(message.message);
    else this.kill(id);
  }

  killAll(): void {
    for (const id of [...this.running.keys()]) this.kill(id);
  }

  private start(id: number): void {
    const child = utilityProcess.fork(path.join(__dirname, 'runtime.js'), [], {
      serviceName: 'quantscope-runtime',
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.running.set(id, child);
    let said = '';
    child.stderr?.on('data', (text: Buffer) => {
      said = (said + text.toString()).slice(-KEPT_CHARACTERS);
    });
    child.on('message', (message: unknown) => this.post({ type: 'runtime-message', id, message }));
    child.once('exit', (code) => {
      if (this.running.delete(id)) this.post({ type: 'runtime-ended', id, code, said });
    });
  }

  private kill(id: number): void {
    const child = this.running.get(id);
    this.running.delete(id);
    if (child === undefined) return;
    // SIGKILL: UtilityProcess.kill sends SIGTERM, which a thread in native code does not see.
    const end = (): void => {
      if (child.pid !== undefined) process.kill(child.pid, 'SIGKILL');
    };
    if (child.pid === undefined) child.once('spawn', end);
    else end();
  }
}
