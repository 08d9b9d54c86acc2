import * as fs from 'node:fs';
import * as path from 'node:path';
import { namesFilesBeside, readNames } from './names-file.ts';
import { readVocabulary, type Vocabulary } from './vocabulary.ts';

/** A file of names that was read. */
export interface NamesFile {
  readonly file: string;
  readonly names: readonly string[];
}

export interface TokenizerFile {
  readonly file: string;
  readonly vocabulary: Vocabulary;
}

/** Files beside the model that are opened to see whether they fit. */
const MOST_CANDIDATES = 8;

/** Reads files of names, each once as long as it does not change, and finds those beside a model. */
export class NamesBeside {
  private readonly model: string;
  private readonly read = new Map<
    string,
    { readonly version: string; readonly names: readonly string[] }
  >();

  /** The tokenizer that was read last. */
  private tokenizer: (TokenizerFile & { readonly version: string }) | null = null;

  constructor(model: string) {
    this.model = model;
  }

  /** @throws AppError naming the file */
  open(file: string): NamesFile {
    const version = versionOf(file);
    const known = this.read.get(file);
    if (known !== undefined && known.version === version) return { file, names: known.names };
    const names = readNames(file);
    this.read.set(file, { version, names });
    return { file, names };
  }

  /** The first file beside the model with a fitting number of names; those that cannot be read are passed over. */
  find(fits: (count: number) => boolean): NamesFile | null {
    for (const file of this.candidates()) {
      try {
        const found = this.open(file);
        if (fits(found.names.length)) return found;
      } catch {
        // It was not chosen, only found.
      }
    }
    return null;
  }

  /** @throws AppError naming the file */
  openTokenizer(file: string): TokenizerFile {
    const version = versionOf(file);
    if (this.tokenizer?.version !== version || this.tokenizer.file !== file)
      this.tokenizer = { file, version, vocabulary: readVocabulary(file) };
    return this.tokenizer;
  }

  /** The tokenizer beside the model; null where there is none, or where it cannot be read. */
  findTokenizer(): TokenizerFile | null {
    const file = path.join(path.dirname(this.model), 'tokenizer.json');
    try {
      return isOwnFile(file) ? this.openTokenizer(file) : null;
    } catch {
      return null;
    }
  }

  private candidates(): readonly string[] {
    const folder = path.dirname(this.model);
    try {
      const names = namesFilesBeside(this.model, fs.readdirSync(folder).sort());
      const files = [...new Set(names)].map((name) => path.join(folder, name));
      return files.slice(0, MOST_CANDIDATES).filter(isOwnFile);
    } catch {
      return [];
    }
  }
}

/** Whether a path is a file and not a link: what a model comes with must not lead out of its folder. */
function isOwnFile(file: string): boolean {
  return fs.lstatSync(file, { throwIfNoEntry: false })?.isFile() === true;
}

/** Tells one version of a file from another; empty where there is none. */
export function versionOf(file: string): string {
  const status = fs.statSync(file, { throwIfNoEntry: false });
  return status === undefined ? '' : `${status.size} ${status.mtimeMs} ${status.ino}`;
}
