import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { isRunning } from '../../files/sweep.ts';
import { ioError } from '../source.ts';

const FOLDER = /^quantscope-run-(\d+)-/;

/** Removes what killed processes left behind. @throws what the system says */
export function sweepFolders(parent = os.tmpdir()): void {
  for (const name of fs.readdirSync(parent)) {
    const owner = FOLDER.exec(name)?.[1];
    if (owner !== undefined && !isRunning(Number(owner)))
      fs.rmSync(path.join(parent, name), { recursive: true, force: true });
  }
}

/** A new folder of this process's own; those that a killed process left behind are swept first. */
export function temporaryFolder(): string {
  const parent = os.tmpdir();
  try {
    sweepFolders(parent);
    return fs.mkdtempSync(path.join(parent, `quantscope-run-${process.pid}-`));
  } catch (error) {
    throw ioError('no temporary file can be made there', parent, error);
  }
}
