import { app } from 'electron';
import type { RotatingLog } from '../files/rotating-log.ts';

/** Log what happens to the app and its processes, in words that name no file. */
export function logEvents(log: RotatingLog): void {
  log.write(
    `start of ${app.getVersion()} on Electron ${process.versions.electron ?? ''}, ${process.platform} ${process.arch}`,
  );
  app.on('render-process-gone', (_event, _contents, { reason, exitCode }) => {
    log.write(`the page ended: ${reason}, exit code ${exitCode}`);
  });
  app.on('child-process-gone', (_event, { type, serviceName, reason, exitCode }) => {
    if (reason !== 'clean-exit' && reason !== 'killed')
      log.write(`${serviceName ?? type} ended: ${reason}, exit code ${exitCode}`);
  });
  app.on('will-quit', () => log.write('quit'));
}
