import * as fs from 'node:fs';
import * as path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterEach, expect, test, vi } from 'vitest';
import {
  finishWriting,
  readJson,
  writeJson,
  writeJsonNow,
} from '../../../electron/main/json-file.ts';
import { temporaryFolder } from '../../helpers/temporary.ts';

const root = temporaryFolder();
/** A busy disk takes seconds for a flush. */
const SLOW = { timeout: 10_000 };
let count = 0;
const newFile = (): string => path.join(root, String(count++), 'settings.json');
const stored = (file: string): unknown => JSON.parse(fs.readFileSync(file, 'utf8'));

afterEach(() => {
  finishWriting();
  vi.restoreAllMocks();
});

test('a setting is read at once, and is on the disk soon, with nothing beside it', async () => {
  const file = newFile();
  writeJson(file, { theme: 'dark' });
  expect(readJson(file)).toEqual({ theme: 'dark' });
  await expect.poll(() => fs.existsSync(file), SLOW).toBe(true);
  expect(stored(file)).toEqual({ theme: 'dark' });
  expect(fs.readdirSync(path.dirname(file))).toEqual(['settings.json']);
});

test('the last of many values is the one that stays, of each file', async () => {
  const files = [newFile(), newFile()];
  for (let value = 0; value < 50; value++) for (const file of files) writeJson(file, value);
  await expect
    .poll(() => files.map((file) => fs.existsSync(file) && stored(file)))
    .toEqual([49, 49]);
});

test('at the end of the app everything is written before it exits, and nothing older after it', async () => {
  const file = newFile();
  writeJson(file, 'old');
  writeJson(file, 'new');
  finishWriting();
  expect(stored(file)).toBe('new');
  await setTimeout(300);
  expect(stored(file)).toBe('new');
  expect(fs.readdirSync(path.dirname(file))).toEqual(['settings.json']);
  writeJson(file, 'newer');
  await expect.poll(() => stored(file), SLOW).toBe('newer');
});

test('what must be on the disk first is written before the call ends', () => {
  const file = newFile();
  writeJsonNow(file, [1]);
  expect(stored(file)).toEqual([1]);
});

test('a file that cannot be written is told and stops nothing', async () => {
  const said = vi.spyOn(console, 'error').mockImplementation(() => undefined);
  const blocked = path.join(newFile(), 'inside');
  fs.mkdirSync(path.dirname(path.dirname(blocked)), { recursive: true });
  fs.writeFileSync(path.dirname(blocked), 'a file, not a folder');
  const file = newFile();
  writeJson(blocked, 1);
  writeJson(file, 2);
  await expect.poll(() => fs.existsSync(file), SLOW).toBe(true);
  expect(said).toHaveBeenCalledTimes(1);
});
