import * as fs from 'node:fs';
import * as path from 'node:path';
import { AppError } from '../../../../shared/errors.ts';
import { FileSource, reasonOf } from '../../source.ts';
import type { ExternalEntry } from './records.ts';

/** Where one external tensor's bytes are. */
export interface ExternalRange {
  readonly file: FileSource;
  readonly offset: number;
  readonly length: number;
}

const KEYS: ReadonlySet<string> = new Set(['location', 'offset', 'length', 'checksum']);

/**
 * The side files of one model. A location is a relative path below the model's folder, made of
 * plain names; no link of any kind is followed (ONNX's own loader refuses them too, after
 * CVE-2022-25882 and CVE-2024-27318).
 */
export class ExternalFiles {
  private readonly model: FileSource;
  private readonly opened = new Map<string, FileSource>();

  constructor(model: FileSource) {
    this.model = model;
  }

  get files(): readonly FileSource[] {
    return [...this.opened.values()];
  }

  /**
   * Check external_data entries and find their range.
   * @param bytes what the tensor's shape and dtype need.
   * @throws AppError EXTERNAL_DATA naming the tensor, what was found and what was expected.
   */
  resolve(tensor: string, entries: readonly ExternalEntry[], bytes: number): ExternalRange {
    const values = new Map<string, string>();
    for (const { key, value } of entries) {
      if (!KEYS.has(key))
        throw this.problem(tensor, 'an unknown key in external_data', key, [...KEYS].join(', '));
      if (values.has(key))
        throw this.problem(tensor, 'a key twice in external_data', key, 'each key once');
      values.set(key, value);
    }
    const file = this.open(tensor, values.get('location') ?? '');
    const offset = this.integer(tensor, 'offset', values.get('offset') ?? '0');
    const length = this.integer(tensor, 'length', values.get('length') ?? String(bytes));
    if (length !== bytes)
      throw this.problem(
        tensor,
        'the length of external data is not that of its shape',
        String(length),
        String(bytes),
      );
    if (offset + length > file.size)
      throw this.problem(
        tensor,
        'external data past the end of its file',
        `offset ${offset} and length ${length}`,
        `within ${file.size} bytes`,
      );
    return { file, offset, length };
  }

  close(): void {
    for (const file of this.opened.values()) file.close();
  }

  private integer(tensor: string, key: string, text: string): number {
    const value = Number(text);
    if (!/^\d{1,16}$/.test(text) || !Number.isSafeInteger(value))
      throw this.problem(
        tensor,
        `the ${key} of external data is no whole number`,
        text,
        'decimal digits, below 2^53',
      );
    return value;
  }

  private open(tensor: string, location: string): FileSource {
    const known = this.opened.get(location);
    if (known !== undefined) return known;
    this.checkLocation(tensor, location);
    const folder = path.dirname(this.model.path);
    const target = path.join(folder, ...location.split('/'));
    this.checkLinks(tensor, folder, location);
    const source = FileSource.open(target);
    if (
      source.identity.ino === this.model.identity.ino &&
      source.identity.dev === this.model.identity.dev
    ) {
      source.close();
      throw this.problem(
        tensor,
        'external data in the model file itself',
        location,
        'another file',
      );
    }
    this.opened.set(location, source);
    return source;
  }

  private checkLocation(tensor: string, location: string): void {
    const parts = location.split('/');
    const bad =
      location === '' ||
      /[\u0000\\]/.test(location) ||
      /^[a-zA-Z]:/.test(location) ||
      parts.some((part) => part === '' || part === '.' || part === '..');
    if (bad)
      throw this.problem(
        tensor,
        'a location of external data that is not allowed',
        location === '' ? 'nothing' : location,
        "a relative path below the model's folder",
      );
  }

  /** No part of the location below the model's folder may be a link: it could lead out of the folder. */
  private checkLinks(tensor: string, folder: string, location: string): void {
    let current = folder;
    for (const part of location.split('/')) {
      current = path.join(current, part);
      let stat: fs.Stats;
      try {
        stat = fs.lstatSync(current);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT')
          throw this.problem(
            tensor,
            'a file of external data is missing',
            location,
            `a file in ${path.basename(folder)}`,
          );
        throw this.problem(
          tensor,
          'a file of external data cannot be opened',
          reasonOf(error),
          'a regular file',
        );
      }
      if (stat.isSymbolicLink())
        throw this.problem(
          tensor,
          'a file of external data is a link',
          `a symbolic link, ${part}`,
          'a regular file',
        );
      if (stat.isFile() && stat.nlink > 1)
        throw this.problem(
          tensor,
          'a file of external data is a link',
          `${stat.nlink} hard links`,
          'a file of its own',
        );
    }
  }

  private problem(tensor: string, summary: string, found: string, expected: string): AppError {
    return new AppError('EXTERNAL_DATA', summary, {
      file: this.model.path,
      field: tensor,
      found,
      expected,
    });
  }
}
