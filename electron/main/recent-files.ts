import * as crypto from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { app } from 'electron';
import type { RecentFile } from '../../shared/ipc.ts';
import { readJson, writeJson } from './json-file.ts';

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

  constructor() {
    const stored = readJson<unknown>(this.file);
    this.entries = Array.isArray(stored) ? stored.filter(isEntry).slice(0, MOST) : [];
  }

  list(): RecentFile[] {
    return this.entries.map(({ id, path: file, bytes, opened, facts }) => ({
      id,
      name: path.basename(file),
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

  private save(): void {
    writeJson(this.file, this.entries);
  }
}

function isEntry(value: unknown): value is Entry {
  const entry = value as Partial<Record<keyof Entry, unknown>> | null;
  return (
    typeof entry?.id === 'string' &&
    typeof entry.path === 'string' &&
    typeof entry.bytes === 'number' &&
    typeof entry.opened === 'string' &&
    typeof entry.facts === 'string'
  );
}
