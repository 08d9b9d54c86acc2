import * as os from 'node:os';
import { AppError, reasonOf } from '../../shared/errors.ts';
import { printError } from './output.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

let received: (typeof SIGNALS)[number] | null = null;

/**
 * Call back when the user, the system or a closing terminal asks the command to stop. Asked a second
 * time, the process exits at once; temporary files are removed then, too (atomic-file.ts).
 * @returns a function that restores what the system does by itself
 */
export function onInterrupt(stop: () => void): () => void {
  const listeners = SIGNALS.map((signal) => {
    const listener = (): void => {
      if (received !== null) process.exit(statusOf(signal));
      received = signal;
      stop();
    };
    process.on(signal, listener);
    return [signal, listener] as const;
  });
  return () => {
    for (const [signal, listener] of listeners) process.off(signal, listener);
  };
}

/** The exit status by which a shell tells that a signal ended a command, 128 and its number; null without one. */
export function interruptStatus(): number | null {
  return received === null ? null : statusOf(received);
}

function statusOf(signal: (typeof SIGNALS)[number]): number {
  return 128 + os.constants.signals[signal];
}

/**
 * End with status 1 when stdout cannot be written (a full disk), as its reader has not got the result.
 * A reader that closed the pipe, such as head, has what it wants: end quietly.
 */
export function watchOutput(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    const { code, message } = new AppError('IO', 'cannot be written', {
      file: 'standard output',
      found: reasonOf(error),
    });
    printError(`quantscope: ${code}: ${message}`);
    process.exit(1);
  });
  // Errors that cannot be told to anyone still have their exit status.
  process.stderr.on('error', () => undefined);
}
