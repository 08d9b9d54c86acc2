import { afterEach, expect, test, vi } from 'vitest';
import { clearProgress, print, printError, showProgress } from '../../../electron/cli/output.ts';
import { printJson } from '../../../electron/cli/json.ts';

const KEYS = ['isTTY', 'columns'] as const;
const own = KEYS.map((key) => [key, process.stderr[key]] as const);

afterEach(() => {
  clearProgress();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
  for (const [key, value] of own) setStderr(key, value);
});

function setStderr(key: (typeof KEYS)[number], value: unknown): void {
  Object.defineProperty(process.stderr, key, { value, configurable: true });
}

/** What a terminal gets from both streams, in order. */
function terminal(isTTY: boolean): string[] {
  const written: string[] = [];
  const put = (piece: unknown): boolean => written.push(String(piece)) > 0;
  vi.spyOn(process.stderr, 'write').mockImplementation(put);
  vi.spyOn(process.stdout, 'write').mockImplementation(put);
  vi.spyOn(console, 'log').mockImplementation(put);
  vi.spyOn(console, 'error').mockImplementation(put);
  setStderr('isTTY', isTTY);
  setStderr('columns', 20);
  return written;
}

test.each([
  [
    'a result',
    () => {
      print('result');
    },
  ],
  [
    'a warning',
    () => {
      printError('result');
    },
  ],
  [
    'JSON',
    () => {
      printJson('result');
    },
  ],
])('the progress line is cleared before %s is printed', (_, write) => {
  const written = terminal(true);
  showProgress('Measuring 1 of 2');
  write();
  expect(written[0]).toBe('\r\u001b[KMeasuring 1 of 2');
  expect(written[1]).toBe('\r\u001b[K');
  expect(written[2]).toContain('result');
});

test('a long progress line is shortened, as a wrapped line cannot be cleared', () => {
  const written = terminal(true);
  showProgress('Measuring 1 of 2 /encoder/layers.0/MatMul');
  expect(written[0]!.replace('\r\u001b[K', '')).toHaveLength(19);
});

test('there is no progress and nothing to clear where stderr is no terminal', () => {
  const written = terminal(false);
  showProgress('Measuring');
  print('result');
  expect(written).toEqual(['result']);
});
