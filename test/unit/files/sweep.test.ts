import { spawn } from 'node:child_process';
import * as readline from 'node:readline';
import { expect, test } from 'vitest';
import { isRunning } from '../../../electron/files/sweep.ts';

test('a process runs until it ends', () => {
  expect(isRunning(process.pid)).toBe(true);
  // Numbers end at 2^22 on Linux and far below it elsewhere.
  expect(isRunning(2 ** 22 + 1)).toBe(false);
});

test('a dead process whose parent has not asked for its status does not run', async () => {
  // The shell becomes a sleep that never waits for the child it had.
  const parent = spawn('sh', ['-c', 'true & echo $!; exec sleep 20']);
  try {
    const lines = readline.createInterface({ input: parent.stdout });
    const line = await new Promise<string>((resolve) => {
      lines.once('line', resolve);
    });
    await expect.poll(() => isRunning(Number(line))).toBe(process.platform !== 'linux');
  } finally {
    parent.kill('SIGKILL');
  }
});
