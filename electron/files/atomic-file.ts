import * as crypto from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { promisify } from 'node:util';
import { AppError, ioError } from '../../shared/errors.ts';
import { removeIfPossible } from './sweep.ts';
import { writeFully } from './write-fully.ts';

/** Which file a name leads to, whatever the name: device and inode. */
export interface FileKey {
  readonly dev: string;
  readonly ino: string;
}

/** A file that is being read, and so must not be written over. */
export interface InputFile {
  readonly identity: FileKey;
  /** What it is called in the refusal; the model's files say nothing. */
  readonly role?: 'the recipe';
}

const sync = promisify(fs.fsync);

/** Temporary names carry this many characters of the target's: with all of a long one they would be too long themselves. */
const NAME_CHARACTERS = 40;

/** Files begun and neither committed nor discarded: removed when the process exits in order. */
const unfinished = new Set<AtomicFile>();
let isWatchingExit = false;

/**
 * A file that appears under its name only when it is whole: written beside the target under an
 * exclusive temporary name, flushed, renamed over the target, and the folder flushed. Everything
 * that the app and the command line write goes through here.
 */
export class AtomicFile {
  readonly target: string;
  readonly temporary: string;
  readonly fd: number;
  private readonly mode: number;
  private isOpen = true;

  /**
   * @param inputs files that the target must not be, by any name or link
   * @param mode permissions of the written file, of which the process's umask is taken off
   * @throws AppError TARGET when the target is an input, is not a regular file, or has no folder; IO.
   */
  constructor(target: string, inputs: readonly InputFile[], mode = 0o666) {
    this.target = path.resolve(target);
    this.mode = mode;
    checkTarget(this.target, inputs);
    this.temporary = besideName(this.target, 'tmp');
    try {
      // Its owner must be able to write it until it is flushed.
      this.fd = fs.openSync(this.temporary, 'wx', mode | 0o600);
    } catch (error) {
      throw ioError('cannot be written', this.target, error);
    }
    watchExit();
    unfinished.add(this);
  }

  /** Whether it has not been put in place or discarded yet. */
  get isPending(): boolean {
    return unfinished.has(this);
  }

  /** Write all of a small file. @throws AppError IO */
  write(content: string): void {
    writeFully(this.fd, Buffer.from(content), 0, this.target);
  }

  /** Make what was written the target. @throws AppError IO */
  commit(): void {
    this.flush();
    this.rename();
    this.syncFolder();
  }

  /** As commit, while the thread goes on with other work. @throws AppError IO; CANCELLED on abort before it is in place */
  async commitLater(signal: AbortSignal): Promise<void> {
    try {
      await sync(this.fd);
    } catch (error) {
      throw ioError('cannot be written', this.target, error);
    }
    if (signal.aborted) throw new AppError('CANCELLED', 'cancelled');
    // Takes no time: the disk has everything.
    this.flush();
    this.rename();
    await syncFolderLater(path.dirname(this.target));
  }

  /** Bring what was written to the disk. @throws AppError IO */
  flush(): void {
    try {
      if (process.platform !== 'win32')
        fs.fchmodSync(this.fd, fs.fstatSync(this.fd).mode & this.mode);
      fs.fsyncSync(this.fd);
      this.close();
    } catch (error) {
      throw ioError('cannot be written', this.target, error);
    }
  }

  /** Give what was flushed its name. @throws AppError IO */
  rename(): void {
    try {
      fs.renameSync(this.temporary, this.target);
      unfinished.delete(this);
    } catch (error) {
      throw ioError('cannot be put in place', this.target, error);
    }
  }

  /** Bring the names in the target's folder to the disk. @throws AppError IO */
  syncFolder(): void {
    try {
      syncFolder(path.dirname(this.target));
    } catch (error) {
      throw ioError('is in place, but its folder cannot be flushed', this.target, error);
    }
  }

  /** Leave the target as it was and nothing beside it. Never throws. */
  discard(): void {
    try {
      this.close();
    } catch {
      // The error that led here is the one to report.
    }
    if (unfinished.delete(this)) removeIfPossible(this.temporary);
  }

  private close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    fs.closeSync(this.fd);
  }
}

/**
 * Fail before the work that a file is for, not after it.
 * @throws AppError TARGET or IO when writeWhole could not write it
 */
export function checkWritable(target: string, inputs: readonly InputFile[]): void {
  if (!isStream(target)) checkTarget(path.resolve(target), inputs);
}

/**
 * Write a small file whole or not at all. What is no file but a stream (a terminal, a pipe,
 * /dev/stdout) has no content to lose and is written directly.
 * @throws AppError TARGET when the target is one of the inputs; IO.
 */
export function writeWhole(target: string, content: string, inputs: readonly InputFile[]): void {
  if (isStream(target)) {
    try {
      fs.writeFileSync(target, content);
    } catch (error) {
      throw ioError('cannot be written', target, error);
    }
    return;
  }
  const file = new AtomicFile(target, inputs);
  try {
    file.write(content);
    file.commit();
  } catch (error) {
    file.discard();
    throw error;
  }
}

/**
 * As writeWhole for a file of our own, while the thread goes on with other work. When the process exits before, nothing is written.
 * @throws AppError TARGET, IO; CANCELLED on abort before it is in place
 */
export async function writeWholeLater(
  target: string,
  content: string,
  signal: AbortSignal,
): Promise<void> {
  const file = new AtomicFile(target, []);
  try {
    file.write(content);
    await file.commitLater(signal);
  } catch (error) {
    file.discard();
    throw error;
  }
}

/** Which file a name leads to; null when there is none or the system does not tell. */
export function fileKey(file: string): FileKey | null {
  try {
    return keyOf(fs.statSync(file, { bigint: true }));
  } catch {
    return null;
  }
}

export function keyOf({ dev, ino }: fs.BigIntStats): FileKey {
  return { dev: String(dev), ino: String(ino) };
}

export function isSameFile(a: FileKey, b: FileKey): boolean {
  return a.dev === b.dev && a.ino === b.ino;
}

/** A name in the target's folder that no other process or write chooses: hidden, and ours to sweep. */
export function besideName(target: string, extension: 'tmp' | 'commit'): string {
  const name = path.basename(target).slice(0, NAME_CHARACTERS);
  const unique = `${process.pid}-${crypto.randomBytes(6).toString('hex')}`;
  return path.join(path.dirname(target), `.${name}.quantscope-${unique}.${extension}`);
}

/** @throws AppError TARGET or IO when it cannot be written. */
export function checkTarget(target: string, inputs: readonly InputFile[]): void {
  const folder = statOf(path.dirname(target), target);
  if (folder === undefined || !folder.isDirectory())
    throw new AppError('TARGET', 'there is no such folder to write to', {
      file: target,
      found: path.dirname(target),
      expected: 'a folder that exists',
    });
  const existing = statOf(target, target);
  if (existing === undefined) return;
  if (!existing.isFile())
    throw new AppError('TARGET', 'cannot be written over', {
      file: target,
      found: existing.isDirectory() ? 'a folder' : 'not a regular file',
      expected: 'a file name',
    });
  const input = inputs.find(({ identity }) => isSameFile(identity, keyOf(existing)));
  if (input === undefined) return;
  const what = input.role === undefined ? 'the model itself or one of its files' : input.role;
  throw new AppError('TARGET', `is ${what}; choose another name`, {
    file: target,
    found: 'a file that is being read',
    expected: 'another file',
  });
}

function statOf(file: string, target: string): fs.BigIntStats | undefined {
  try {
    return fs.statSync(file, { bigint: true, throwIfNoEntry: false });
  } catch (error) {
    throw ioError('cannot be written', target, error);
  }
}

function isStream(target: string): boolean {
  const stat = fileStat(target);
  return stat !== null && (stat.isFIFO() || stat.isCharacterDevice());
}

function fileStat(file: string): fs.Stats | null {
  try {
    return fs.statSync(file);
  } catch {
    return null;
  }
}

/** Errors of systems that rename durably without a flush, or do not let a folder be opened for one. */
const UNFLUSHABLE = new Set(['EACCES', 'EINVAL', 'EISDIR', 'ENOSYS', 'ENOTSUP', 'EPERM']);

function syncFolder(folder: string): void {
  let fd: number | null = null;
  try {
    fd = fs.openSync(folder, 'r');
    fs.fsyncSync(fd);
  } catch (error) {
    if (!UNFLUSHABLE.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
  } finally {
    if (fd !== null) fs.closeSync(fd);
  }
}

/** The file has its name already: what a folder cannot be asked for is no failure. */
async function syncFolderLater(folder: string): Promise<void> {
  let handle: fs.promises.FileHandle | null = null;
  try {
    handle = await fs.promises.open(folder, 'r');
    await handle.sync();
  } catch (error) {
    if (!UNFLUSHABLE.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
  } finally {
    await handle?.close();
  }
}

function watchExit(): void {
  if (isWatchingExit) return;
  isWatchingExit = true;
  process.on('exit', () => {
    for (const file of unfinished) file.discard();
  });
}
