import * as path from 'node:path';
import { app } from 'electron';
import { runCommandLine } from '../cli/run.ts';
import { useRuntime } from '../cli/runtime.ts';
import { howItEnded, type FromRuntime, type RuntimeProcess } from '../engine/runtime/host.ts';
import { startRuntimeProcess } from '../main/runtime-process.ts';

/** Run a command in the packaged app, without a window, and exit with its status. */
export async function runInApp(args: readonly string[]): Promise<void> {
  app.disableHardwareAcceleration();
  if (process.platform === 'darwin') app.setActivationPolicy('prohibited');
  // The window may run beside it, and has its profile to itself.
  app.setPath('userData', path.join(app.getPath('userData'), 'command-line'));
  // A signal ends an app that is not ready at once; from then on it cancels the command (interrupt.ts).
  await app.whenReady();
  useRuntime(runtimeOfApp);
  const status = await runCommandLine(args);
  await Promise.all([written(process.stdout), written(process.stderr)]);
  app.exit(status);
}

/** Resolves when all that was printed has reached the system. */
function written(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    stream.write('', () => resolve());
  });
}

function runtimeOfApp(): RuntimeProcess {
  let onMessage = (_message: FromRuntime): void => undefined;
  let onEnd = (_how: string): void => undefined;
  const child = startRuntimeProcess({
    message: (message) => onMessage(message as FromRuntime),
    end: (code, said) => onEnd(howItEnded(`exit status ${code}`, said)),
  });
  return {
    post: (message) => child.post(message),
    kill: () => child.kill(),
    onMessage: (listener) => (onMessage = listener),
    onEnd: (listener) => (onEnd = listener),
  };
}
