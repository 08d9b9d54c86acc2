import * as path from 'node:path';
import { expect, test } from 'vitest';
import { plantedSlow, SLOW_SPOTS } from '../../fuzz/slow-spots.ts';
import { runCase } from '../../fuzz/run-case.ts';
import type { Target } from '../../fuzz/targets.ts';
import { testPool } from '../../helpers/engine.ts';
import { temporaryFolder } from '../../helpers/temporary.ts';

const pool = testPool();
const folder = path.join(temporaryFolder(), 'case');

/** Whether a round of a target takes over a tenth of a second, which no seed does. */
async function isFound(target: Target): Promise<boolean> {
  for (let round = 0; round < 160; round++) {
    const limits = { memory: Infinity, time: 100 };
    const outcome = await runCase(target, 3, round, folder, pool, limits);
    if (outcome.kind === 'failed' && outcome.what.startsWith('took over')) return true;
  }
  return false;
}

test.each(Object.keys(SLOW_SPOTS))(
  'amplified files find the planted slow reader of %s',
  async (spot) => expect(await isFound(plantedSlow(spot))).toBe(true),
);

// Plain mutations put in a name of 70,000 characters, too.
test.each(Object.keys(SLOW_SPOTS).filter((spot) => spot !== 'the characters of a name'))(
  'mutations that do not amplify miss the planted slow reader of %s',
  async (spot) => {
    const target = plantedSlow(spot);
    expect(await isFound({ ...target, amplify: target.mutate })).toBe(false);
  },
);
