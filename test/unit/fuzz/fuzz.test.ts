import * as path from 'node:path';
import { expect, test } from 'vitest';
import { runCase } from '../../fuzz/run-case.ts';
import { TARGETS, targetOf } from '../../fuzz/targets.ts';
import { testPool } from '../../helpers/engine.ts';
import { temporaryFolder } from '../../helpers/temporary.ts';

/** npm run fuzz tries 150 times as many. */
const ROUNDS = 200;

const pool = testPool();
const folder = path.join(temporaryFolder(), 'case');

test.each(TARGETS)(
  'mutated files of %s are refused by their file and field, or open, are measured and exported',
  async (name) => {
    const target = targetOf(name);
    const outcomes = { opened: 0, refused: 0 };
    for (let round = 0; round < ROUNDS; round++) {
      // This process has what other tests left in its memory; npm run fuzz watches over that.
      const outcome = await runCase(target, 7, round, folder, pool, { memory: Infinity });
      if (outcome.kind === 'failed') expect.fail(`round ${round}: ${outcome.what}`);
      outcomes[outcome.kind]++;
    }
    // Mutations that never open, or always do, would try nothing.
    expect(outcomes.opened).toBeGreaterThan(ROUNDS / 50);
    expect(outcomes.refused).toBeGreaterThan(ROUNDS / 4);
  },
);
