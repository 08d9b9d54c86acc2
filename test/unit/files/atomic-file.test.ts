import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { AtomicFile, fileKey, writeWhole } from '../../../electron/files/atomic-file.ts';
import { sweepOrphans } from '../../../electron/files/sweep.ts';
import { temporaryFolder } from '../../helpers/temporary.ts';

const root = temporaryFolder();
let count = 0;
function newFolder(): string {
  const made = path.join(root, String(count++));
  fs.mkdirSync(made);
  return made;
}

/** Nothing but these files. */
function expectFiles(folder: string, ...names: readonly string[]): void {
  expect(fs.readdirSync(folder).sort()).toEqual([...names].sort());
}

describe('a small file', () => {
  test('is written whole under its name, over an old one', () => {
    const folder = newFolder();
    const file = path.join(folder, 'a.csv');
    fs.writeFileSync(file, 'old and longer');
    writeWhole(file, 'new', []);
    expect(fs.readFileSync(file, 'utf8')).toBe('new');
    expectFiles(folder, 'a.csv');
  });

  test.each([
    [
      'the file itself',
      (folder: string): string => path.join(folder, '..', path.basename(folder), 'in'),
    ],
    [
      'a symbolic link to it',
      (folder: string): string => {
        fs.symlinkSync('in', path.join(folder, 'link'));
        return path.join(folder, 'link');
      },
    ],
    [
      'a hard link to it',
      (folder: string): string => {
        fs.linkSync(path.join(folder, 'in'), path.join(folder, 'hard'));
        return path.join(folder, 'hard');
      },
    ],
  ])('is refused where an input is: %s', (_, targetIn) => {
    const folder = newFolder();
    const input = path.join(folder, 'in');
    fs.writeFileSync(input, 'content');
    const target = targetIn(folder);
    const identity = fileKey(input)!;
    expect(() => writeWhole(target, 'new', [{ identity }])).toThrow(
      /is the model itself or one of its files; choose another name/,
    );
    expect(() => writeWhole(target, 'new', [{ identity, role: 'the recipe' }])).toThrow(
      /is the recipe; choose another name/,
    );
    expect(fs.readFileSync(input, 'utf8')).toBe('content');
    expect(fs.readdirSync(folder).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  test('is written to a stream such as /dev/null directly', () => {
    writeWhole('/dev/null', 'x', []);
    expect(fs.statSync('/dev/null').isCharacterDevice()).toBe(true);
  });

  test.each([
    ['a folder', '.', 'TARGET', /cannot be written over/],
    ['a missing folder', 'no/a', 'TARGET', /there is no such folder/],
    ['a name of over 255 bytes', 'x'.repeat(256), 'IO', /a name that is too long/],
    ['a loop of links', 'loop', 'IO', /a loop of symbolic links/],
    ['a file as a folder', 'file/a', 'TARGET', /there is no such folder/],
  ])('is refused at %s by its code and reason', (_, name, code, pattern) => {
    const folder = newFolder();
    fs.symlinkSync('loop', path.join(folder, 'loop'));
    fs.writeFileSync(path.join(folder, 'file'), '');
    const write = (): void => writeWhole(path.join(folder, name), 'x', []);
    expect(write).toThrow(expect.objectContaining({ code }) as Error);
    expect(write).toThrow(pattern);
    expectFiles(folder, 'file', 'loop');
  });

  test.each([['x'.repeat(255)], ['ü'.repeat(127)], ['\u{1f600}'.repeat(63)]])(
    'takes a name as long as the system allows: %s',
    (name) => {
      const folder = newFolder();
      writeWhole(path.join(folder, name), 'x', []);
      expectFiles(folder, name);
    },
  );
});

describe('permissions', () => {
  test.each([[0o600], [0o640], [0o444], [0o400]])('of mode %o are those asked for', (mode) => {
    const file = path.join(newFolder(), 'a');
    const old = process.umask(0o022);
    try {
      const written = new AtomicFile(file, [], mode);
      expect(fs.statSync(written.temporary).mode & 0o200).toBe(0o200);
      written.write('x');
      written.commit();
    } finally {
      process.umask(old);
    }
    expect((fs.statSync(file).mode & 0o777).toString(8)).toBe(mode.toString(8));
  });

  test('are never more than the umask allows', () => {
    const file = path.join(newFolder(), 'a');
    const old = process.umask(0o077);
    try {
      writeWhole(file, 'x', []);
    } finally {
      process.umask(old);
    }
    expect(fs.statSync(file).mode & 0o777).toBe(0o600);
  });
});

test('a disk that is full is an IO error, and leaves the old file and nothing else', () => {
  const folder = newFolder();
  fs.writeFileSync(path.join(folder, 'a'), 'old');
  const file = new AtomicFile(path.join(folder, 'a'), []);
  // /dev/full refuses every write for want of space.
  const full = fs.openSync('/dev/full', 'w');
  const onFullDisk = Object.create(file, { fd: { value: full } }) as AtomicFile;
  expect(() => AtomicFile.prototype.write.call(onFullDisk, 'x')).toThrow(
    /cannot be written \(found no space left on the disk\)/,
  );
  fs.closeSync(full);
  file.discard();
  expectFiles(folder, 'a');
  expect(fs.readFileSync(path.join(folder, 'a'), 'utf8')).toBe('old');
});

test('the sweep leaves what it may not remove, and removes the rest', () => {
  const folder = newFolder();
  const name = (at: number): string => `.a.quantscope-999999999-00000000000${at}.tmp`;
  fs.mkdirSync(path.join(folder, name(1)));
  fs.symlinkSync('nowhere', path.join(folder, name(2)));
  fs.writeFileSync(path.join(folder, name(3)), 'x');
  sweepOrphans(folder);
  expectFiles(folder, name(1), name(2));
  writeWhole(path.join(folder, 'b'), 'x', []);
  expectFiles(folder, 'b', name(1), name(2));
});
