import { AppError } from '../../../shared/errors.ts';
import { readRange, withFile } from '../calibrate/data/sample-file.ts';

/** Half a million names are smaller. */
const MOST_BYTES = 16 << 20;

/**
 * The text of a regular file, its byte order mark left out. A pipe or a device never blocks or ends.
 * @param what the file is, for messages: "a labels file"
 * @throws AppError NOT_A_FILE, EMPTY_FILE, LIMIT, MALFORMED where it is not UTF-8
 */
export function readText(file: string, what: string, most = MOST_BYTES): string {
  const bytes = withFile(
    file,
    (fd, size) => {
      if (size <= most) return readRange(file, fd, 0, size);
      throw new AppError('LIMIT', `is too large for ${what}`, {
        file,
        field: 'size',
        found: `${size} bytes`,
        expected: `at most ${most} bytes`,
      });
    },
    what,
  );
  if (bytes.length === 0) throw new AppError('EMPTY_FILE', 'is empty', { file, expected: what });
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new AppError('MALFORMED', `is not ${what}`, {
      file,
      field: 'text',
      found: 'bytes that are not UTF-8',
      expected: 'UTF-8 text',
    });
  }
}
