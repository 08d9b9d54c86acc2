import * as path from 'node:path';
import { utilityProcess } from 'electron';
import { WITHOUT_TELEMETRY } from '../../shared/runtimes.ts';

/** How much of what a dying process says is kept. */
const KEPT_CHARACTERS = 4096;

export interface RuntimeListeners {
  message(message: unknown): void;
  /** The process ended by itself with this status, after these last words on stderr. */
  end(code: number, said: string): void;
}

export interface RuntimeChild {
  post(message: unknown): void;
  kill(): void;
}

/** Start a process that runs models. The app must be ready. */
export function startRuntimeProcess(listeners: RuntimeListeners): RuntimeChild {
  const child = utilityProcess.fork(path.join(__dirname, 'runtime.js'), [], {
    serviceName: 'quantscope-runtime',
    env: { ...process.env, ...WITHOUT_TELEMETRY },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let isWanted = true;
  let said = '';
  child.stderr?.on('data', (text: Buffer) => {
    said = (said + text.toString()).slice(-KEPT_CHARACTERS);
  });
  child.on('message', (message: unknown) => listeners.message(message));
  child.once('exit', (code) => {
    if (isWanted) listeners.end(code, said);
  });
  return {
    post: (message) => child.postMessage(message),
    kill: () => {
      isWanted = false;
      // SIGKILL: UtilityProcess.kill sends SIGTERM, which a thread in native code does not see.
      const end = (): void => {
        if (child.pid !== undefined) process.kill(child.pid, 'SIGKILL');
      };
      if (child.pid === undefined) child.once('spawn', end);
      else end();
    },
  };
}
