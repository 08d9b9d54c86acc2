// Puts a set of files in place as an export does: FOLDER SET, the set as JSON.
import * as path from 'node:path';
import process from 'node:process';
import { commitSet } from '../../electron/engine/export/commit-set.ts';
import { AtomicFile } from '../../electron/files/atomic-file.ts';

export interface CommittedSet {
  readonly model: string;
  readonly parts: readonly string[];
  readonly replaced: readonly string[];
}

const [folder, text] = process.argv.slice(2) as [string, string];
const { model, parts, replaced } = JSON.parse(text) as CommittedSet;
const write = (name: string, content: string): AtomicFile => {
  const file = new AtomicFile(path.join(folder, name), []);
  file.write(content);
  return file;
};
commitSet(
  write(model, parts.join()),
  parts.map((part) => write(part, 'new')),
  replaced.map((name) => path.join(folder, name)),
);
