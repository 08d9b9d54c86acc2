import { app } from 'electron';
import { fileArgument, type OpenFiles } from './open-files.ts';

interface Second {
  readonly file: string | null;
}

/**
 * Chromium hands arguments, folder and data over in one message of at most 32 KiB, and ends the first
 * instance when that does not answer a longer one. A quarter is left for what it adds.
 */
const MAX_HANDED_BYTES = 24 << 10;

/**
 * Whether this is the first instance. A second one hands its file to the first as additional data,
 * as its argv may arrive reordered, and quits; so does one whose arguments cannot be handed over.
 */
export function claimSingleInstance(openFiles: OpenFiles): boolean {
  const second: Second = { file: fileArgument(process.argv, process.cwd()) };
  const handed = [...process.argv, process.cwd(), second.file ?? ''];
  const bytes = handed.reduce((sum, text) => sum + Buffer.byteLength(text) + 1, 0);
  if (bytes > MAX_HANDED_BYTES) {
    console.error(
      `quantscope: the arguments are too long (found ${bytes} bytes, expected at most ${MAX_HANDED_BYTES}); name one file`,
    );
    return false;
  }
  if (!app.requestSingleInstanceLock(second)) return false;
  app.on('second-instance', (_event, _argv, _folder, data) => {
    const file = (data as Partial<Second> | null)?.file;
    if (typeof file === 'string') openFiles.open(file);
    else app.emit('activate');
  });
  return true;
}
