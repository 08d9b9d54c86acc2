import { app } from 'electron';
import { fileArgument, type OpenFiles } from './open-files.ts';

interface Second {
  readonly file: string | null;
}

/**
 * Whether this is the first instance. A second one hands its file to the first as additional data,
 * as its argv may arrive reordered, and quits.
 */
export function claimSingleInstance(openFiles: OpenFiles): boolean {
  const second: Second = { file: fileArgument(process.argv, process.cwd()) };
  if (!app.requestSingleInstanceLock(second)) return false;
  app.on('second-instance', (_event, _argv, _folder, data) => {
    const file = (data as Partial<Second> | null)?.file;
    if (typeof file === 'string') openFiles.open(file);
    else app.emit('activate');
  });
  return true;
}
