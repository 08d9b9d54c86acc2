// Puts a set of files in place as an export does: SET FOLDER..., the set as JSON. With several folders it is
// halted in each, one change of a file later than in the one before (kill-at.mjs).
import * as path from 'node:path';
import process from 'node:process';
import { commitSet } from '../../electron/engine/export/commit-set.ts';
import { AtomicFile } from '../../electron/files/atomic-file.ts';

export interface CommittedSet {
  readonly model: string;
  readonly parts: readonly string[];
  readonly replaced: readonly string[];
}

const [text, ...folders] = process.argv.slice(2) as [string, ...string[]];
const { model, parts, replaced } = JSON.parse(text) as CommittedSet;

function commitIn(folder: string): void {
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
}

/** Commit in each folder, halted before the first change of a file in the first one, the second in the second... */
function commitHalted(): void {
  for (const [at, folder] of folders.entries()) {
    (globalThis as unknown as { haltAt: (call: number) => void }).haltAt(at + 1);
    try {
      commitIn(folder);
    } catch {
      // Halted.
    }
  }
  process.kill(process.pid, 'SIGKILL'); // What a process does as it ends must not touch the folders.
}

if (folders.length === 1) commitIn(folders[0]!);
else commitHalted();
