import { AppError, toErrorData, type ErrorData } from '../../shared/errors.ts';
import { UsageError } from './command.ts';
import { interruptStatus, watchOutput } from './interrupt.ts';
import { toJson } from './json.ts';
import { printError } from './output.ts';
import { runProgram } from './program.ts';

/**
 * Run a command line. Errors go to stderr, as JSON where --json asks for it.
 * @returns the exit status
 */
export async function runCommandLine(args: readonly string[]): Promise<number> {
  watchOutput();
  try {
    return await runProgram(args);
  } catch (error) {
    const isUsage = error instanceof UsageError;
    const data = isUsage ? new AppError('BAD_USAGE', error.message).toData() : errorData(error);
    // What follows -- is no option.
    const end = args.indexOf('--');
    if ((end < 0 ? args : args.slice(0, end)).includes('--json'))
      printError(toJson({ error: data }));
    else printError(`quantscope: ${isUsage ? '' : `${data.code}: `}${data.message}`);
    if (isUsage) return 2;
    return interruptStatus() ?? 1;
  }
}

/** A signal may reach the runtime's process first: what fails after one was cancelled. */
function errorData(error: unknown): ErrorData {
  const data = toErrorData(error);
  return interruptStatus() === null || data.code === 'CANCELLED'
    ? data
    : new AppError('CANCELLED', 'the command was interrupted').toData();
}
