import * as os from 'node:os';
import { AppError } from '../../shared/errors.ts';
import { LEAST_MEMORY } from '../../shared/ipc.ts';
import { bytesOfSize } from '../../shared/size.ts';

/** The environment variable that bounds memory: of the app by its settings, of the command line by whoever calls it. */
const VARIABLE = 'QUANTSCOPE_MEMORY';

/** Three quarters of the computer's memory: more of it and everything else is swapped out. */
const SHARE = 0.75;

/**
 * Bytes that running a model may take before it is stopped. Windows on the files of models are bounded by a share of it.
 * @throws AppError BAD_USAGE where the variable is set and is no size, or one that no model runs in
 */
export function memoryLimit(text = process.env[VARIABLE], total = os.totalmem()): number {
  if (text === undefined || text === '') return Math.floor(total * SHARE);
  const bytes = bytesOfSize(text);
  if (bytes === null || bytes === 0)
    throw new AppError('BAD_USAGE', 'the memory limit is not a size', {
      field: VARIABLE,
      found: text,
      expected: 'a size such as 4GB or 512MiB',
    });
  if (bytes < LEAST_MEMORY)
    throw new AppError('BAD_USAGE', 'the memory limit is less than a runtime takes', {
      field: VARIABLE,
      found: text,
      expected: `at least ${LEAST_MEMORY / 1e6}MB`,
    });
  return bytes;
}
