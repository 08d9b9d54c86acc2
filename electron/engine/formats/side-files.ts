import * as fs from 'node:fs';
import * as path from 'node:path';
import type { AppError } from '../../../shared/errors.ts';
import { FileSource, ioError, reasonOf } from '../source.ts';

/** Makes the error of one side file: its owner knows which tensor or shard names it. */
export type SideProblem = (summary: string, found: string, expected: string) => AppError;

/** A blob's name in the cache of huggingface_hub: a git or SHA-256 digest. */
const BLOB = /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/;
const SNAPSHOT =
  /^(.*[\\/](?:models|datasets|spaces)--[^\\/]+)[\\/]snapshots[\\/][^\\/]+(?:[\\/]|$)/s;

/**
 * The files that a model names beside its own. A name is a relative path with forward slashes. Links
 * are followed as onnxruntime follows them: the file that they lead to must lie below the model's
 * folder or below that of the file which the model's own link leads to; or it is a blob of the
 * Hugging Face repository in whose snapshot the model lies.
 */
export class SideFiles {
  private readonly model: FileSource;
  private readonly what: string;
  private readonly folder: string;
  private allowed: { readonly folders: readonly string[]; readonly blobs: string | null } | null =
    null;
  private readonly byName = new Map<string, FileSource>();
  private readonly byPath = new Map<string, FileSource>();

  /** @param what the files' name in errors, such as "a shard" */
  constructor(model: FileSource, what: string) {
    this.model = model;
    this.what = what;
    this.folder = path.dirname(path.resolve(model.path));
  }

  /** Open a file, or give it again: each file once, by whatever names it has. @throws what `problem` makes, or AppError */
  open(name: string, problem: SideProblem): FileSource {
    const known = this.byName.get(name);
    if (known !== undefined) return known;
    if (!this.isBelow(name))
      throw problem(
        `the location of ${this.what} is not allowed`,
        name === '' ? 'nothing' : name,
        "a relative path below the model's folder",
      );
    const named = `${this.folder}${path.sep}${name}`;
    const real = this.resolve(named, name, problem);
    const source = this.byPath.get(real) ?? this.openReal(named, real, name, problem);
    this.byPath.set(real, source);
    this.byName.set(name, source);
    return source;
  }

  close(): void {
    for (const file of this.byPath.values()) file.close();
  }

  /** Whether a name, as it is written, leads below the folder. */
  private isBelow(name: string): boolean {
    if (name === '' || /[\u0000\\]|^\/|^[a-zA-Z]:/.test(name)) return false;
    return isInside(this.folder, path.resolve(this.folder, name));
  }

  /** The real path of a file. The system resolves it, so that `a/../b` needs a folder `a`, as everywhere. */
  private resolve(named: string, name: string, problem: SideProblem): string {
    let real: string;
    try {
      real = fs.realpathSync.native(named);
    } catch (error) {
      const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
      throw problem(
        isMissing ? `${this.what} is missing` : `${this.what} cannot be opened`,
        isMissing ? name : reasonOf(error),
        isMissing ? `a file in ${path.basename(this.folder)}` : 'a regular file',
      );
    }
    this.allowed ??= allowedPlaces(this.model.path);
    const { folders, blobs } = this.allowed;
    const isBlob = path.dirname(real) === blobs && BLOB.test(path.basename(real));
    if (isBlob || folders.some((folder) => isInside(folder, real))) return real;
    throw problem(
      `${this.what} is a link that leads out of the model's folder`,
      name,
      'a file below the folder, or a blob of the same Hugging Face repository',
    );
  }

  private openReal(named: string, real: string, name: string, problem: SideProblem): FileSource {
    if (fs.statSync(real, { throwIfNoEntry: false })?.isFile() !== true)
      throw problem(`${this.what} is not a regular file`, name, 'a regular file');
    // A link that is changed after it was resolved is caught: the last part is opened without following it.
    const source = FileSource.open(named, undefined, real, this.model.path);
    const { ino, dev } = source.identity;
    const isModel = ino === this.model.identity.ino && dev === this.model.identity.dev;
    if (!isModel && fs.realpathSync.native(named) === real) return source;
    source.close();
    if (isModel) throw problem(`${this.what} is the model file itself`, name, 'another file');
    throw problem(
      `${this.what} changed while it was opened`,
      name,
      'a file that stays in its place',
    );
  }
}

/** Where side files may lie in truth. */
function allowedPlaces(model: string): { folders: readonly string[]; blobs: string | null } {
  try {
    const folder = fs.realpathSync.native(path.dirname(path.resolve(model)));
    const repository = SNAPSHOT.exec(folder)?.[1];
    const blobs = repository === undefined ? null : path.join(repository, 'blobs');
    const real = path.dirname(fs.realpathSync.native(model));
    return { folders: real === blobs ? [folder] : [folder, real], blobs };
  } catch (error) {
    throw ioError('cannot be opened', model, error);
  }
}

function isInside(folder: string, file: string): boolean {
  const way = path.relative(folder, file);
  return way !== '' && way !== '..' && !way.startsWith(`..${path.sep}`) && !path.isAbsolute(way);
}
