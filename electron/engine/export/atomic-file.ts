import * as crypto from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { AppError } from '../../../shared/errors.ts';
import { ioError, type FileSource } from '../source.ts';

const TEMPORARY = /^\.(.+)\.quantscope-(\d+)-[0-9a-f]{12}\.tmp$/;

/**
 * A file that appears under its name only when it is whole: written beside the target under an
 * exclusive temporary name, flushed, renamed over the target, and the folder flushed.
 */
export class AtomicFile {
  readonly target: string;
  readonly temporary: string;
  readonly fd: number;
  /** Whether nothing had the target's name before. */
  private readonly isNew: boolean;
  private isOpen = true;

  /** @throws AppError TARGET when the target is one of the sources, is no regular file, or has no folder. */
  constructor(target: string, sources: readonly FileSource[]) {
    this.target = path.resolve(target);
    this.isNew = checkTarget(this.target, sources);
    const name = `.${path.basename(this.target)}.quantscope-${process.pid}-${crypto.randomBytes(6).toString('hex')}.tmp`;
    this.temporary = path.join(path.dirname(this.target), name);
    try {
      this.fd = fs.openSync(this.temporary, 'wx', 0o666);
    } catch (error) {
      throw ioError('cannot be written there', this.target, error);
    }
  }

  /** Make what was written the target. */
  commit(): void {
    commitAll([this]);
  }

  /** Bring what was written to the disk. */
  flush(): void {
    try {
      fs.fsyncSync(this.fd);
      this.close();
    } catch (error) {
      throw ioError('cannot be written', this.target, error);
    }
  }

  /** Give what was flushed its name. */
  rename(): void {
    try {
      fs.renameSync(this.temporary, this.target);
      syncFolder(path.dirname(this.target));
    } catch (error) {
      throw ioError('cannot be put in place', this.target, error);
    }
  }

  /** Take the target away again, where there was none before. */
  undo(): void {
    if (this.isNew) fs.rmSync(this.target, { force: true });
  }

  /** Leave the target as it was and nothing beside it. */
  discard(): void {
    this.close();
    fs.rmSync(this.temporary, { force: true });
  }

  private close(): void {
    if (this.isOpen) fs.closeSync(this.fd);
    this.isOpen = false;
  }
}

/** Put files in place, in order, once all of them are on the disk. Those in place before a failure are undone. */
export function commitAll(files: readonly AtomicFile[]): void {
  for (const file of files) file.flush();
  const done: AtomicFile[] = [];
  try {
    for (const file of files) {
      file.rename();
      done.push(file);
    }
  } catch (error) {
    for (const file of done) file.undo();
    throw error;
  }
}

/** Remove temporary files that a killed export left beside a target. Those of running processes stay. */
export function sweepOrphans(folder: string): void {
  let names: string[];
  try {
    names = fs.readdirSync(folder);
  } catch {
    return; // A folder that cannot be listed has nothing that we could remove.
  }
  for (const name of names) {
    const match = TEMPORARY.exec(name);
    if (match !== null && !isRunning(Number(match[2])))
      fs.rmSync(path.join(folder, name), { force: true });
  }
}

/** Whether there is a process of that number. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Whether the target is a new file. @throws AppError TARGET when it cannot be written. */
function checkTarget(target: string, sources: readonly FileSource[]): boolean {
  const folder = fs.statSync(path.dirname(target), { throwIfNoEntry: false });
  if (folder === undefined || !folder.isDirectory())
    throw new AppError('TARGET', 'there is no such folder to write to', {
      file: target,
      found: path.dirname(target),
      expected: 'a folder that exists',
    });
  const existing = fs.statSync(target, { bigint: true, throwIfNoEntry: false });
  if (existing === undefined) return true;
  if (!existing.isFile())
    throw new AppError('TARGET', 'cannot be written over', {
      file: target,
      found: 'no regular file',
      expected: 'a file name',
    });
  for (const source of sources)
    if (
      source.identity.ino === String(existing.ino) &&
      source.identity.dev === String(existing.dev)
    )
      throw new AppError('TARGET', 'is the model itself or one of its files; choose another name', {
        file: target,
        found: 'the source',
        expected: 'another file',
      });
  return false;
}

function syncFolder(folder: string): void {
  // Windows cannot open a folder for flushing; its rename is durable without.
  if (process.platform === 'win32') return;
  const fd = fs.openSync(folder, 'r');
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}
