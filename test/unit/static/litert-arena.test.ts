import { expect, test } from 'vitest';
import { arenaSize } from '../../../electron/engine/formats/litert/write/arena.ts';
import { findPreset } from '../../../shared/presets.ts';
import { Session } from '../../../electron/engine/session.ts';
import { testPool } from '../../helpers/engine.ts';
import { LITERT_MODELS } from '../../helpers/litert-models.ts';
import { sameRanges } from '../../helpers/ranges.ts';

const pool = testPool();

test.each<[string, [number, number, number][], number]>([
  [
    'values that live one after the other share their memory',
    [
      [100, 0, 1],
      [100, 2, 3],
    ],
    100,
  ],
  [
    'values that live together are aligned to 64 bytes',
    [
      [100, 0, 1],
      [100, 1, 2],
    ],
    228,
  ],
  [
    'a value goes into the smallest gap',
    // 1024 at 0, 512 behind it; once the first is gone, 64 and 256 fit where it was.
    [
      [1024, 0, 1],
      [512, 0, 5],
      [256, 2, 3],
      [64, 2, 3],
    ],
    1536,
  ],
  ['nothing', [], 0],
])('%s', (_, values, bytes) => {
  expect(arenaSize(values.map(([size, first, last]) => ({ bytes: size, first, last })))).toBe(
    bytes,
  );
});

test('a full integer export of the face detector takes less than half of the memory', async () => {
  const session = Session.open(LITERT_MODELS.faceShort, pool);
  session.useRanges(sameRanges(session));
  const { signal } = new AbortController();
  const preset = findPreset('litert-full-integer')!;
  const { arena, outline } = await session.previewExport(preset, 'static', { signal });
  session.close();
  // DEQUANTIZE of stored float16 weights is no operator on floats.
  expect(outline).toMatchObject({ integerOperators: 90, operators: 90, float: [] });
  expect(arena!.after).toBeLessThan(0.5 * arena!.before);
  expect(arena!.after).toBeGreaterThan(0.2 * arena!.before);
});
