import { expect, test } from 'vitest';
import { memoryChoices, workerChoices } from '../../../shared/ipc.ts';
import { windowBytesFor } from '../../../electron/engine/kernels/kernels.ts';
import { memoryLimit } from '../../../electron/engine/memory-limit.ts';

test('without a limit three quarters of the memory are taken', () => {
  expect(memoryLimit(undefined, 16e9)).toBe(12e9);
  expect(memoryLimit('', 16e9)).toBe(12e9);
});

test('a limit is a size as people write it', () => {
  expect(memoryLimit('2000000000', 16e9)).toBe(2e9);
  expect(memoryLimit('512MiB', 16e9)).toBe(512 * 2 ** 20);
});

test('a limit that no model runs in is refused', () => {
  expect(() => memoryLimit('10kB', 16e9)).toThrow(
    'QUANTSCOPE_MEMORY: the memory limit is less than a runtime takes (found 10kB, expected at least 512MB)',
  );
});

test.each(['much', '0', '-1', '4 cats'])('a limit of %s is refused by its name', (text) => {
  expect(() => memoryLimit(text, 16e9)).toThrow(
    expect.objectContaining({
      code: 'BAD_USAGE',
      message: `QUANTSCOPE_MEMORY: the memory limit is not a size (found ${text}, expected a size such as 4GB or 512MiB)`,
    }),
  );
});

test('the windows of all workers take no more than an eighth of the limit', () => {
  expect(windowBytesFor(4, 512e6) * 4).toBeLessThanOrEqual(64e6);
  expect(windowBytesFor(4, 512e6)).toBeGreaterThanOrEqual(4 << 20);
  expect(windowBytesFor(2, 64e9)).toBe(windowBytesFor(2));
});

test('limits below the memory of the computer are offered, and the chosen one', () => {
  expect(memoryChoices(16.7e9, null)).toEqual([1e9, 2e9, 4e9, 8e9, 16e9]);
  expect(memoryChoices(2e9, 3e9)).toEqual([1e9, 3e9]);
  expect(workerChoices(4, 12)).toEqual([1, 2, 3, 4, 12]);
});
