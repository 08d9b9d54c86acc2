import * as fs from 'node:fs';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import { RotatingLog } from '../../../electron/files/rotating-log.ts';
import { temporaryFolder } from '../../helpers/temporary.ts';

const folder = temporaryFolder();

test('a log keeps two files of bounded size, and its last lines in order across both', () => {
  const log = new RotatingLog(folder, 'rotating', 4096);
  for (let at = 0; at < 500; at++) log.write(`line ${at}`);
  const files = fs.readdirSync(folder).filter((name) => name.startsWith('rotating'));
  expect(files.sort()).toEqual(['rotating.log', 'rotating.old.log']);
  for (const name of files)
    expect(fs.statSync(path.join(folder, name)).size).toBeLessThanOrEqual(4096);
  const last = log.last(100).map((line) => line.replace(/^\S+ /, ''));
  expect(last).toEqual(Array.from({ length: 100 }, (_, at) => `line ${400 + at}`));
});

test('a message of several lines is one line, and a long one is cut', () => {
  const log = new RotatingLog(folder, 'lines', 1 << 20);
  log.write(`a\nb\r\nc${'d'.repeat(100_000)}`);
  const lines = log.last(10);
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(/^\d{4}-\S+Z a b cd+$/);
  expect(lines[0]!.length).toBeLessThan(2100);
});

test('a log in a folder that does not exist stops nothing', () => {
  const log = new RotatingLog(path.join(folder, 'missing'), 'log');
  log.write('lost');
  expect(log.last(5)).toEqual([]);
});
