import { spawnSync } from 'node:child_process';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import { root } from '../../helpers/root.ts';

// A seed whose first nine rounds make each planted mistake once.
const ARGUMENTS = ['planted', '--seed', '446', '--rounds', '9', '--silence', '12000'];

test('npm run fuzz finds every planted mistake, each in its round, and fails', () => {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [path.join(root, 'build/fuzz.mjs'), ...ARGUMENTS],
    { encoding: 'utf8', cwd: root },
  );
  expect(status).not.toBe(0);
  expect(stdout).toMatch(/\| planted \| 9 \| 0 \| 0 \| 9 \|/);
  const found = (round: number): string =>
    new RegExp(`^planted, round ${round}, 1 in all: (.*)`, 'm').exec(stderr)?.[1] ?? 'nothing';
  expect(Array.from({ length: 9 }, (_, round) => found(round))).toEqual([
    expect.stringMatching(/^not an AppError: RangeError/),
    expect.stringMatching(/^took over 700 ms/),
    expect.stringMatching(/^ended with SIGABRT/),
    expect.stringMatching(/^took over \d+ bytes and 4 times the file/),
    'changed a source',
    expect.stringMatching(/^names no file or field: MALFORMED/),
    expect.stringMatching(/^outside: readFileSync "\/etc\/hosts"/),
    'left a temporary file',
    expect.stringMatching(/^hung/),
  ]);
}, 60_000);
