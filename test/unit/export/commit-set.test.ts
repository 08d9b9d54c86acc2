import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { buildScripts } from '../../../build/scripts.mjs';
import { commitSet } from '../../../electron/engine/export/commit-set.ts';
import { recoverFolder } from '../../../electron/engine/export/journal.ts';
import { AtomicFile } from '../../../electron/files/atomic-file.ts';
import { root } from '../../helpers/root.ts';
import { temporaryFolder } from '../../helpers/temporary.ts';
import type { CommittedSet } from '../../kill/commit-child.ts';

const folder = temporaryFolder();
const scripts = path.join(root, '.cache', `commit-${process.pid}`);

beforeAll(async () => {
  await buildScripts(scripts, { 'commit-child': 'test/kill/commit-child.ts' });
  return () => fs.rmSync(scripts, { recursive: true, force: true });
}, 60_000);

let count = 0;
function folderOf(files: Readonly<Record<string, string>>): string {
  const made = path.join(folder, String(count++));
  fs.mkdirSync(made);
  for (const [name, content] of Object.entries(files))
    fs.writeFileSync(path.join(made, name), content);
  return made;
}

function contents(where: string): Record<string, string> {
  const names = fs.readdirSync(where).sort();
  return Object.fromEntries(
    names.map((name) => [name, fs.readFileSync(path.join(where, name), 'utf8')]),
  );
}

/** Commit in a process that is killed before its N-th change of a file; 0 lets it live. */
function commitKilledAt(where: string, set: CommittedSet, at: number): void {
  const { signal, status, stderr } = commitChild(set, [where], at);
  expect([status, signal, stderr]).toEqual(at === 0 ? [0, null, ''] : [null, 'SIGKILL', '']);
}

/** Commit in one process in every folder, halted in the N-th before its N-th change of a file, and killed at last. */
function commitHalted(folders: readonly string[], set: CommittedSet): void {
  const { signal, stderr } = commitChild(set, folders, -1);
  expect([signal, stderr]).toEqual(['SIGKILL', '']);
}

function commitChild(set: CommittedSet, folders: readonly string[], killAt: number) {
  const hook = path.join(root, 'test/kill/kill-at.mjs');
  const script = path.join(scripts, 'commit-child.mjs');
  const counts = path.join(folder, 'count');
  return spawnSync(process.execPath, ['--import', hook, script, JSON.stringify(set), ...folders], {
    env: {
      ...process.env,
      QUANTSCOPE_KILL_AT: String(killAt),
      QUANTSCOPE_KILL_COUNT: counts,
    },
    encoding: 'utf8',
  });
}

/** What a folder holds, without the numbers of processes, temporary names and inodes. */
function contentsOfAny(where: string): string[] {
  return Object.entries(contents(where))
    .map(([name, text]) =>
      `${name}: ${text}`.replaceAll(/quantscope-\d*(-[0-9a-f]*)?|"ino":"\d+"/g, ''),
    )
    .sort();
}

type Files = Readonly<Record<string, string>>;
const INDEX = 'm.safetensors.index.json';
const shard = (at: number, stem = 'm'): string => `${stem}-0000${at}-of-00002.safetensors`;

describe('a commit that is killed', () => {
  test.each<[string, Files, CommittedSet]>([
    ['of one file', {}, { model: 'm.onnx', parts: [], replaced: [] }],
    [
      'of one file over an old one',
      { 'm.onnx': 'old' },
      { model: 'm.onnx', parts: [], replaced: [] },
    ],
    ['with external data', {}, { model: 'm.onnx', parts: ['m.onnx.data'], replaced: [] }],
    [
      'with external data over an old model',
      { 'm.onnx': 'm.onnx.data', 'm.onnx.data': 'old' },
      { model: 'm.onnx', parts: ['m-2.onnx.data'], replaced: ['m.onnx.data'] },
    ],
    [
      'of one file over a model with external data',
      { 'm.onnx': 'm.onnx.data', 'm.onnx.data': 'old' },
      { model: 'm.onnx', parts: [], replaced: ['m.onnx.data'] },
    ],
    ['of shards', {}, { model: INDEX, parts: [shard(1), shard(2)], replaced: [] }],
    [
      'of shards over old ones',
      { [INDEX]: 'x', [shard(1)]: 'old', [shard(2)]: 'old' },
      { model: INDEX, parts: [shard(1, 'm-2'), shard(2, 'm-2')], replaced: [shard(1), shard(2)] },
    ],
  ])(
    '%s leaves the old set or the new one at every step, and nothing else after recovery',
    (_, old, set) => {
      const whole = folderOf(old);
      commitKilledAt(whole, set, 0);
      const made = contents(whole);
      expect(made).toEqual({
        [set.model]: set.parts.join(),
        ...Object.fromEntries(set.parts.map((part) => [part, 'new'])),
      });
      const steps = Number(fs.readFileSync(path.join(folder, 'count'), 'utf8'));
      expect(steps).toBeGreaterThan(7);
      const folders = Array.from({ length: steps }, () => folderOf(old));
      commitHalted(folders, set);
      // Halting leaves what a kill leaves: tried in the middle.
      const half = Math.floor(steps / 2);
      const killed = folderOf(old);
      commitKilledAt(killed, set, half);
      expect(contentsOfAny(folders[half - 1]!)).toEqual(contentsOfAny(killed));
      const outcomes = folders.map((where) => {
        const left = contents(where);
        const wanted = left[set.model] === made[set.model] ? made : old;
        // A reader that comes before recovery finds every file of the set, unchanged.
        expect(left).toMatchObject(wanted);
        recoverFolder(where);
        expect(contents(where)).toEqual(wanted);
        return wanted === made ? 'new' : 'old';
      });
      // One switch: old up to a step, new from there on.
      expect(outcomes.join()).toMatch(/^old(,old)*(,new)+$/);
    },
    120_000,
  );
});

describe('recovery', () => {
  const GONE = '.m.onnx.quantscope-999999999-0123456789ab';
  const key = (file: string): { dev: string; ino: string } => {
    const { dev, ino } = fs.statSync(file, { bigint: true });
    return { dev: String(dev), ino: String(ino) };
  };
  /** A folder with a journal of a dead process that says what the callback gives. */
  function withJournal(files: Files, journal: (where: string) => unknown): string {
    const where = folderOf(files);
    fs.writeFileSync(path.join(where, `${GONE}.commit`), JSON.stringify(journal(where)));
    return where;
  }
  const entry = (where: string, name: string, file = name): object => ({
    name,
    ...key(path.join(where, file)),
  });

  test('removes nothing that is not named as a part of its model, by its inode', () => {
    const files = { [`${GONE}.tmp`]: 'x', 'notes.txt': 'mine', 'm.onnx.data': 'mine' };
    const where = withJournal(files, (here) => ({
      model: entry(here, 'm.onnx', `${GONE}.tmp`),
      temporary: `${GONE}.tmp`,
      parts: [entry(here, 'notes.txt'), { ...entry(here, 'm.onnx.data'), ino: '1' }],
      replaced: [],
    }));
    recoverFolder(where);
    expect(contents(where)).toEqual({ 'notes.txt': 'mine', 'm.onnx.data': 'mine' });
  });

  test('removes no part when neither the old nor the new model is there, as somebody changed the folder', () => {
    const files = { 'm.onnx': 'other', 'm.onnx.data': 'old', 'm-2.onnx.data': 'new' };
    const where = withJournal(files, (here) => ({
      model: { name: 'm.onnx', dev: '1', ino: '1' },
      temporary: `${GONE}.tmp`,
      parts: [entry(here, 'm-2.onnx.data')],
      replaced: [entry(here, 'm.onnx.data')],
    }));
    recoverFolder(where);
    expect(contents(where)).toEqual(files);
  });

  test.each([['../x'], ['a/b'], ['..'], ['']])('ignores a journal that names %j', (name) => {
    const where = withJournal({ [`${GONE}.tmp`]: 'x' }, (here) => ({
      model: entry(here, 'm.onnx', `${GONE}.tmp`),
      temporary: `${GONE}.tmp`,
      parts: [{ name, dev: '1', ino: '1' }],
      replaced: [],
    }));
    recoverFolder(where);
    expect(contents(where)).toEqual({});
  });

  test('leaves directories, links and files of running processes, and never fails', () => {
    const where = folderOf({ 'm.onnx': 'mine' });
    fs.mkdirSync(path.join(where, `${GONE}.tmp`));
    fs.mkdirSync(path.join(where, `${GONE}.commit`));
    fs.symlinkSync('m.onnx', path.join(where, '.x.quantscope-999999999-0123456789ab.tmp'));
    const running = `.m.onnx.quantscope-${process.ppid}-0123456789ab.tmp`;
    fs.writeFileSync(path.join(where, running), 'x');
    const before = fs.readdirSync(where);
    recoverFolder(where);
    recoverFolder(path.join(where, 'nowhere'));
    recoverFolder(path.join(where, 'm.onnx'));
    expect(fs.readdirSync(where)).toEqual(before);
  });
});

test('a failed commit takes away the parts that were put in place, and leaves the old set', () => {
  const old = { 'm.onnx': 'm.onnx.data', 'm.onnx.data': 'old' };
  const where = folderOf(old);
  const files = ['m.onnx', 'm-2.onnx.data', 'm-3.onnx.data'].map((name) => {
    const file = new AtomicFile(path.join(where, name), []);
    file.write('new');
    return file;
  });
  fs.writeFileSync(path.join(where, 'm-3.onnx.data'), 'appeared');
  const [model, ...parts] = files;
  expect(() => commitSet(model!, parts, [path.join(where, 'm.onnx.data')])).toThrow(
    /m-3.onnx.data: appeared during the export/,
  );
  for (const file of files) file.discard();
  expect(contents(where)).toEqual({ ...old, 'm-3.onnx.data': 'appeared' });
});
