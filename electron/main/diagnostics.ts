import * as os from 'node:os';
import { app } from 'electron';
import type { AppInfo, Settings } from '../../shared/ipc.ts';
import type { RotatingLog } from '../files/rotating-log.ts';

const LOGGED_LINES = 50;

/** What helps to find a fault, as text: versions, system, settings and log. No names, no paths, nothing of a model. */
export function diagnostics(
  info: AppInfo,
  { theme, numbers, workers, memory, preset, compare }: Settings,
  log: RotatingLog,
): string {
  const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`;
  return [
    `Quantscope ${info.version}${app.isPackaged ? '' : ' (from source)'}`,
    `Electron ${info.electron}, Chromium ${process.versions.chrome}, Node ${process.versions.node}, onnxruntime ${info.runtime}, LiteRT ${info.litert}`,
    `${os.type()} ${os.release()}, ${process.arch}`,
    `${os.cpus()[0]?.model.trim() ?? 'unknown processor'}, ${os.cpus().length} cores`,
    `memory ${gigabytes(os.totalmem())}, free ${gigabytes(os.freemem())}`,
    `settings: theme ${theme}, numbers ${numbers}, workers ${workers ?? 'one per core'}, memory limit ${memory === null ? 'of the computer' : gigabytes(memory)}, recipe at start ${preset ?? 'the last one'}, compare ${compare ? 'on' : 'off'}`,
    'log:',
    ...log.last(LOGGED_LINES).map((line) => `  ${line}`),
    '',
  ].join('\n');
}
