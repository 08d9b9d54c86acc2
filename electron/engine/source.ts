import * as fs from 'node:fs';
import { AppError } from '../../shared/errors.ts';

/** What tells one version of a file from another: if any of it differs, the bytes may differ. */
export interface FileIdentity {
  readonly dev: string;
  readonly ino: string;
  readonly size: number;
  readonly mtimeNs: string;
}

/** Reads are split below this, as one read may return at most 2^31 - 4096 bytes on Linux. */
const READ_CHUNK = 1 << 30;

/**
 * Descriptors that one thread keeps open. Systems allow a process 1024 at times, and a model may have
 * thousands of files: the file that was used longest ago is closed, and opened again by its identity.
 */
const MAX_OPEN = 64;

/** The sources with an open descriptor, the one used last at the end. */
const openSources = new Set<FileSource>();

/**
 * Bounded, read-only access to a regular file. Every read is checked against the size the
 * file had when it was opened; a short read is an error, never zeros.
 */
export class FileSource {
  readonly path: string;
  readonly identity: FileIdentity;
  private fd: number | null;
  private isClosed = false;

  private constructor(path: string, fd: number, identity: FileIdentity) {
    this.path = path;
    this.fd = fd;
    this.identity = identity;
    this.use();
  }

  /**
   * @param expected when given, the identity the file must still have.
   * @param real when given, what the path's links lead to, opened in its place without following links.
   * @throws AppError NOT_A_FILE, EMPTY_FILE, CHANGED or IO.
   */
  static open(path: string, expected?: FileIdentity, real?: string): FileSource {
    const { fd, identity } = openFile(path, real);
    try {
      if (identity.size === 0)
        throw new AppError('EMPTY_FILE', 'is empty', {
          file: path,
          found: '0 bytes',
          expected: 'a model',
        });
      if (expected !== undefined) assertSame(path, expected, identity);
      return new FileSource(path, fd, identity);
    } catch (error) {
      fs.closeSync(fd);
      throw error;
    }
  }

  get size(): number {
    return this.identity.size;
  }

  /** Fill `target` from `offset`. @throws AppError MALFORMED past the end, CHANGED on a short read. */
  readInto(target: Uint8Array, offset: number): void {
    if (!Number.isSafeInteger(offset) || offset < 0 || offset + target.length > this.size)
      throw new AppError('MALFORMED', 'a read past the end of the file', {
        file: this.path,
        offset,
        found: `${target.length} bytes wanted`,
        expected: `at most ${Math.max(0, this.size - offset)}`,
      });
    const fd = this.use();
    let done = 0;
    while (done < target.length) {
      const wanted = Math.min(target.length - done, READ_CHUNK);
      let count: number;
      try {
        count = fs.readSync(fd, target, done, wanted, offset + done);
      } catch (error) {
        throw ioError('cannot be read', this.path, error);
      }
      if (count === 0)
        throw new AppError('CHANGED', 'became shorter since it was opened', {
          file: this.path,
          offset: offset + done,
          found: `${done} bytes`,
          expected: `${target.length} bytes`,
        });
      done += count;
    }
  }

  /** A fresh copy of `length` bytes from `offset`. */
  read(offset: number, length: number): Uint8Array {
    if (length > this.size) this.readInto(new Uint8Array(0), this.size + 1);
    const bytes = new Uint8Array(length);
    this.readInto(bytes, offset);
    return bytes;
  }

  /** @throws AppError CHANGED when the path no longer leads to the bytes that were opened. */
  assertUnchanged(): void {
    assertSame(this.path, this.identity, identityOf(fs.fstatSync(this.use(), { bigint: true })));
    let now: fs.BigIntStats;
    try {
      now = fs.statSync(this.path, { bigint: true });
    } catch (error) {
      throw new AppError('CHANGED', 'is gone since it was opened', { file: this.path }, error);
    }
    assertSame(this.path, this.identity, identityOf(now));
  }

  close(): void {
    this.isClosed = true;
    this.release();
  }

  /** The open descriptor, which is the last to be closed from now on. */
  private use(): number {
    if (this.isClosed) throw new AppError('IO', 'is read after it was closed', { file: this.path });
    this.fd ??= reopen(this.path, this.identity);
    openSources.delete(this);
    openSources.add(this);
    const [oldest] = openSources;
    if (openSources.size > MAX_OPEN) oldest!.release();
    return this.fd;
  }

  private release(): void {
    openSources.delete(this);
    if (this.fd !== null) fs.closeSync(this.fd);
    this.fd = null;
  }
}

function reopen(path: string, expected: FileIdentity): number {
  const { fd, identity } = openFile(path);
  try {
    assertSame(path, expected, identity);
    return fd;
  } catch (error) {
    fs.closeSync(fd);
    throw error;
  }
}

/** Open a regular file. @param real the path without links, where these must not be followed */
function openFile(path: string, real?: string): { fd: number; identity: FileIdentity } {
  const refuse = (found: string): AppError =>
    new AppError('NOT_A_FILE', 'cannot be opened as a model', {
      file: path,
      found,
      expected: 'a regular file',
    });
  const kind = statKind(path);
  if (kind !== 'a regular file') throw refuse(kind);
  const { O_RDONLY, O_NONBLOCK = 0, O_NOFOLLOW = 0 } = fs.constants;
  let fd: number;
  try {
    // Non-blocking, so that a FIFO put in the file's place since the stat cannot hang the open.
    fd = fs.openSync(real ?? path, O_RDONLY | O_NONBLOCK | (real === undefined ? 0 : O_NOFOLLOW));
  } catch (error) {
    throw ioError('cannot be opened', path, error);
  }
  const stat = fs.fstatSync(fd, { bigint: true });
  if (stat.isFile()) return { fd, identity: identityOf(stat) };
  fs.closeSync(fd);
  throw refuse('a file of another kind');
}

function statKind(path: string): string {
  let stat: fs.Stats;
  try {
    stat = fs.statSync(path);
  } catch (error) {
    throw ioError('cannot be opened', path, error);
  }
  if (stat.isFile()) return 'a regular file';
  if (stat.isDirectory()) return 'a directory';
  if (stat.isFIFO()) return 'a FIFO';
  if (stat.isSocket()) return 'a socket';
  return 'a device';
}

function identityOf(stat: fs.BigIntStats): FileIdentity {
  return {
    dev: String(stat.dev),
    ino: String(stat.ino),
    size: Number(stat.size),
    mtimeNs: String(stat.mtimeNs),
  };
}

function assertSame(path: string, expected: FileIdentity, found: FileIdentity): void {
  for (const key of ['size', 'mtimeNs', 'ino', 'dev'] as const) {
    if (expected[key] === found[key]) continue;
    throw new AppError('CHANGED', 'changed since it was opened; open it again', {
      file: path,
      field: key === 'mtimeNs' ? 'time of modification' : key,
      found: String(found[key]),
      expected: String(expected[key]),
    });
  }
}

const REASONS: Partial<Record<string, string>> = {
  ENOENT: 'no such file',
  EACCES: 'permission denied',
  EPERM: 'not permitted',
  ENOSPC: 'no space left on the disk',
  EROFS: 'a read-only file system',
  EISDIR: 'a directory',
  ENOTDIR: 'not a folder on the way',
  ENAMETOOLONG: 'a name that is too long',
};

/** Why the operating system refused, in words where there are some for it. */
export function reasonOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code ?? String(error);
  return REASONS[code] ?? code;
}

/** An operating system error as an AppError, its reason in `found`. */
export function ioError(summary: string, file: string, error: unknown): AppError {
  const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
  const details = { file, found: reasonOf(error) };
  return new AppError(isMissing ? 'NOT_A_FILE' : 'IO', summary, details, error);
}
