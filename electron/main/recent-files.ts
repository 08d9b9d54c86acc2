import * as crypto from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { app } from 'electron';
import * as v from 'valibot';
import type { RecentFile } from '../../shared/ipc.ts';
import { readJson, writeJson } from './json-file.ts';
import { shownFolder } from './shown-folder.ts';

const MOST = 12;

interface Entry {
  readonly id: string;
  readonly path: string;
  readonly bytes: number;
  readonly opened: string;
  readonly facts: string;
}

/** Files opened lately, newest first. Our own list: the system's exists on macOS and Windows only. */
export class RecentFiles {
  private readonly file = path.join(app.getPath('userData'), 'recent.json');
  private entries: Entry[];
  private listener: () => void = () => undefined;

  constructor() {
    this.entries = entriesOf(readJson<unknown>(this.file));
  }

  list(): RecentFile[] {
    return this.entries.map(({ id, path: file, bytes, opened, facts }) => ({
      id,
      name: path.basename(file),
      folder: shownFolder(file),
      bytes,
      opened,
      facts,
      exists: fs.existsSync(file),
    }));
  }

  /** Note that a model was opened, with one line of facts about it and the bytes of all its files. */
  add(file: string, facts: string, bytes: number): void {
    const entry: Entry = {
      id: crypto.randomUUID(),
      path: file,
      bytes,
      opened: new Date().toISOString(),
      facts,
    };
    this.entries = [entry, ...this.entries.filter((other) => other.path !== file)].slice(0, MOST);
    this.save();
    if (process.platform !== 'linux') app.addRecentDocument(file);
  }

  path(id: string): string | undefined {
    return this.entries.find((entry) => entry.id === id)?.path;
  }

  forget(id: string): void {
    this.entries = this.entries.filter((entry) => entry.id !== id);
    this.save();
  }

  /** Told of every change of the list. */
  onChange(listener: () => void): void {
    this.listener = listener;
  }

  private save(): void {
    writeJson(this.file, this.entries);
    this.listener();
  }
}

/** A field that is spoilt has a default; an entry without a path is none. */
const entrySchema = v.object({
  path: v.pipe(v.string(), v.minLength(1), v.maxLength(32_768)),
  bytes: v.fallback(v.pipe(v.number(), v.safeInteger(), v.minValue(0)), 0),
  opened: v.fallback(
    v.pipe(
      v.string(),
      v.maxLength(40),
      v.check((text) => !Number.isNaN(Date.parse(text))),
    ),
    new Date(0).toISOString(),
  ),
  facts: v.fallback(v.pipe(v.string(), v.maxLength(500)), ''),
});

/** Entries from stored JSON of any kind. They get new ids: two of one id would stop the page. */
export function entriesOf(stored: unknown): Entry[] {
  if (!Array.isArray(stored)) return [];
  const entries = stored.slice(0, MOST).flatMap((value: unknown) => {
    const fields: object = typeof value === 'object' && value !== null ? value : {};
    const result = v.safeParse(entrySchema, { bytes: 0, opened: '', facts: '', ...fields });
    return result.success ? [result.output] : [];
  });
  return entries.map((entry) => ({ id: crypto.randomUUID(), ...entry }));
}
