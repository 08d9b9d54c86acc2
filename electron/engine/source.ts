import * as fs from 'node:fs';
import * as files from 'node:path';
import { AppError, ioError, reasonOf } from '../../shared/errors.ts';
import { keyOf } from '../files/atomic-file.ts';

export { ioError, reasonOf };

/** What tells one version of a file from another: if any of it differs, the bytes may differ. */
export interface FileIdentity {
  readonly dev: string;
  readonly ino: string;
  readonly size: number;
  readonly mtimeNs: string;
  /** Set by the system at each change, and by nobody else: a rewrite that restores mtime does not restore it. */
  readonly ctimeNs: string;
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
  /** The model's main file, of which this is a part; null for the main file itself. */
  readonly owner: string | null;
  /** How errors name the file: a part also by the model that asked for it. */
  readonly label: string;
  private fd: number | null;
  private isClosed = false;

  private constructor(path: string, fd: number, identity: FileIdentity, owner: string | null) {
    this.path = path;
    this.fd = fd;
    this.identity = identity;
    this.owner = owner;
    this.label = labelOf(path, owner);
    this.use();
  }

  /**
   * @param expected when given, the identity the file must still have.
   * @param real when given, what the path's links lead to, opened in its place without following links.
   * @param owner the model that the file is a part of, named by errors too.
   * @throws AppError NOT_A_FILE, EMPTY_FILE, CHANGED or IO.
   */
  static open(
    path: string,
    expected?: FileIdentity,
    real?: string,
    owner: string | null = null,
  ): FileSource {
    const label = labelOf(path, owner);
    const { fd, identity } = openFile(path, real);
    try {
      if (identity.size === 0)
        throw new AppError('EMPTY_FILE', 'is empty', {
          file: label,
          found: '0 bytes',
          expected: 'a model',
        });
      if (expected !== undefined) assertSame(label, expected, identity);
      return new FileSource(path, fd, identity, owner);
    } catch (error) {
      fs.closeSync(fd);
      throw error;
    }
  }

  get size(): number {
    return this.identity.size;
  }

  /** Permission bits, as the system has them now. */
  get mode(): number {
    return fs.fstatSync(this.use()).mode & 0o777;
  }

  /** Fill `target` from `offset`. @throws AppError MALFORMED past the end, CHANGED on a short read. */
  readInto(target: Uint8Array, offset: number): void {
    if (!Number.isSafeInteger(offset) || offset < 0 || offset + target.length > this.size)
      throw new AppError('MALFORMED', 'a read past the end of the file', {
        file: this.label,
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
        throw ioError('cannot be read', this.label, error);
      }
      if (count === 0)
        throw new AppError('CHANGED', 'became shorter since it was opened', {
          file: this.label,
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
    assertSame(this.label, this.identity, identityOf(fs.fstatSync(this.use(), { bigint: true })));
    let now: fs.BigIntStats;
    try {
      now = fs.statSync(this.path, { bigint: true });
    } catch (error) {
      throw new AppError('CHANGED', 'is gone since it was opened', { file: this.label }, error);
    }
    assertSame(this.label, this.identity, identityOf(now));
  }

  close(): void {
    this.isClosed = true;
    this.release();
  }

  /** The open descriptor, which is the last to be closed from now on. */
  private use(): number {
    if (this.isClosed)
      throw new AppError('IO', 'is read after it was closed', { file: this.label });
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
    ...keyOf(stat),
    size: Number(stat.size),
    mtimeNs: String(stat.mtimeNs),
    ctimeNs: String(stat.ctimeNs),
  };
}

/** What people call the parts of an identity. */
const FIELDS = {
  size: 'size',
  mtimeNs: 'time of modification',
  ctimeNs: 'time of the last change',
  ino: 'inode',
  dev: 'device',
} as const;

function labelOf(path: string, owner: string | null): string {
  return owner === null ? path : `${path} (part of ${files.basename(owner)})`;
}

function assertSame(path: string, expected: FileIdentity, found: FileIdentity): void {
  for (const key of ['size', 'mtimeNs', 'ino', 'dev', 'ctimeNs'] as const) {
    if (expected[key] === found[key]) continue;
    throw new AppError('CHANGED', 'changed since it was opened; open it again', {
      file: path,
      field: FIELDS[key],
      found: String(found[key]),
      expected: String(expected[key]),
    });
  }
}
