import * as fs from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { MomentsRequest } from '../../../electron/engine/calibrate/observe-moments.ts';
import type { ObserveRequest, ObserveResult } from '../../../electron/engine/calibrate/observe.ts';
import { MOST_REJECTED, Trials } from '../../../electron/engine/calibrate/trials.ts';
import type { ObservedInBody } from '../../../electron/engine/formats/format.ts';
import { openModel } from '../../../electron/engine/formats/registry.ts';
import { NO_HINTS } from '../../../electron/engine/runtime/inputs.ts';
import { runInRuntime } from '../../../electron/engine/runtime/host.ts';
import type { RunProgress } from '../../../electron/engine/runtime/run-progress.ts';
import { AppError } from '../../../shared/errors.ts';
import {
  growingLoopModel,
  ifModel,
  loopModel,
  loopOfIfModel,
  steppedLoopModel,
} from '../../helpers/body-models.ts';
import { npyFile } from '../../helpers/npy.ts';
import { sharedRuntime } from '../../helpers/shared-runtime.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const { signal } = new AbortController();

/** Observe what a model offers. */
async function observe(
  bytes: Uint8Array,
  wanted: Partial<ObserveRequest>,
  onProgress: (progress: RunProgress) => void = () => undefined,
): Promise<ObserveResult> {
  const file = writeFile(folder, bytes);
  const opened = openModel(file);
  const values = opened.observable!();
  opened.close();
  const sampled = { inputs: null, samples: 2, seed: 1, hints: NO_HINTS };
  const request = {
    kind: 'observe',
    model: file,
    folder,
    ...sampled,
    ...values,
    ...wanted,
  } as const;
  return await runInRuntime(sharedRuntime, request, signal, onProgress);
}

type Layers = MomentsRequest['layers'];

/** The moments of what the weights of a model are multiplied with, and of other values, or why there are none. */
async function momentsOf(model: Uint8Array, others: Layers = []) {
  const file = writeFile(folder, model);
  const opened = openModel(file);
  const inputs = [...opened.weightInputs!().values()];
  const { inBodies } = opened.observable!();
  opened.close();
  const layers = [...inputs, ...others];
  const sampled = { inputs: null, samples: 2, seed: 1, hints: NO_HINTS };
  const request = { kind: 'moments', model: file, folder, layers, inBodies, ...sampled } as const;
  const { moments } = await runInRuntime(sharedRuntime, request, signal, () => undefined);
  const found = new Map<string, readonly number[] | string>();
  for (const [at, { value }] of layers.entries()) {
    const each = moments[at]!;
    if ('reason' in each) found.set(value, each.reason);
    else {
      const bytes = new Uint8Array(fs.readFileSync(each.file));
      found.set(value, Array.from(new Float32Array(bytes.buffer)));
    }
  }
  return found;
}

describe('moments of weights in bodies', () => {
  test('are of all iterations of a loop', async () => {
    // The loop multiplies the rows of x one after the other.
    const rows = { value: 'x', columns: 16, groups: 1, patches: null };
    const found = await momentsOf(loopModel(), [rows]);
    expect([...found.keys()]).toEqual(['cell.body/s', 'cell.body/xi', 'last', 'x']);
    expect(found.get('cell.body/xi')).toEqual(found.get('x'));
    expect(found.get('cell.body/s')).toHaveLength(32 ** 2);
  });

  test('are of the branches that samples take', async () => {
    const found = await momentsOf(ifModel());
    expect([...found.keys()]).toEqual(['x', 'choose.then_branch/f']);
    const moments = found.get('choose.then_branch/f') as readonly number[];
    expect(moments).toHaveLength(128 ** 2);
    expect(Math.max(...moments)).toBeGreaterThan(0);
  });

  test('are not of what the runtime rejects', async () => {
    const found = await momentsOf(growingLoopModel());
    const reasons = [...found].filter(([, each]) => typeof each === 'string');
    expect(reasons).toEqual([
      ['grow.body/s', 'its shape differs between the iterations of a loop'],
    ]);
  });
});

const reasonsOf = ({ skipped }: ObserveResult) => skipped.map(({ name, reason }) => [name, reason]);

describe('a value of a loop that takes more than one run may give is skipped', () => {
  // 5 iterations of 2 x 32 floats.
  const stacked = 5 * 2 * 32 * 4;

  test('by its size over all iterations', async () => {
    const found = await observe(loopModel(), { observedBytes: stacked - 1 });
    const reason = 'takes more than 0.00128 MB over the iterations of a loop';
    expect(reasonsOf(found)).toEqual([
      ['cell.body/s', reason],
      ['cell.body/a', reason],
      ['cell.body/g', reason],
    ]);
    // Values of the main graph are there in any case, however large.
    expect(found.values.map(({ name }) => name)).toContain('y');
    const whole = await observe(loopModel(), { observedBytes: stacked });
    expect(whole.skipped).toEqual([]);
  });

  test('by its size in the sample of the most iterations', async () => {
    const steps = [1, 1, 40].map((count, at) =>
      writeFile(
        folder,
        npyFile('<i8', [], Buffer.from(BigInt64Array.of(BigInt(count)).buffer)),
        `${at}.npy`,
      ),
    );
    const found = await observe(steppedLoopModel(), { inputs: steps, observedBytes: 20 * 32 * 4 });
    expect(reasonsOf(found)).toEqual([
      ['cell.body/s', 'takes more than 0.00256 MB over the iterations of a loop'],
      ['cell.body/a', 'takes more than 0.00256 MB over the iterations of a loop'],
    ]);
  });
});

test('progress never goes back and ends before 1, with values of bodies', async () => {
  const told: RunProgress[] = [];
  const found = await observe(growingLoopModel(), { samples: 3 }, (each) => told.push(each));
  expect(found.skipped).toHaveLength(2);
  const fractions = told
    .filter(({ what }) => what === 'Observing sample')
    .map((each) => each.fraction);
  expect(fractions).toEqual([...fractions].sort((a, b) => a - b));
  expect(Math.max(...fractions)).toBeCloseTo(5 / 6);
});

describe('values that the runtime rejects', () => {
  test('of a branch that a loop does not take in each iteration, and no others of the loop', async () => {
    const found = await observe(loopOfIfModel(), {});
    expect(reasonsOf(found)).toEqual([
      ['cell.body/choose.then_branch/t', 'its shape differs between the iterations of a loop'],
    ]);
    const counts = found.values.map(({ name, count }) => [name, count]);
    expect(counts).toContainEqual(['cell.body/a', 2 * 3 * 32]);
  });

  const inBodies = (bodies: number, values: number): ObservedInBody[] =>
    Array.from({ length: bodies * values }, (_, at) => {
      const body = `body${Math.floor(at / values)}`;
      return { name: `${body}/${at % values}`, body, loops: 1, isConditional: false };
    });

  /** Work that rejects some names, and what it was given. */
  function rejecting(
    isRejected: (name: string) => boolean,
    said = 'Inconsistent shape in loop output',
  ) {
    const given: (readonly string[])[] = [];
    let splits = 0;
    const work = (names: readonly string[]): Promise<readonly { name: string }[]> => {
      given.push(names);
      if (names.some(isRejected)) throw new AppError('RUNTIME', 'failed', { found: said });
      return Promise.resolve(names.map((name) => ({ name })));
    };
    return {
      given,
      splits: () => splits,
      trial: { work, onSplit: (parts: number) => (splits += parts) },
    };
  }

  test('are told apart by body, and then by halves', async () => {
    const values = inBodies(4, 8);
    const { given, splits, trial } = rejecting((name) => name === 'body2/3');
    const found = await new Trials(values).run(
      values.map(({ name }) => name),
      trial,
    );
    expect(found.filter((each) => 'skipped' in each)).toEqual([
      {
        skipped: { name: 'body2/3', reason: 'its shape differs between the iterations of a loop' },
      },
    ]);
    expect(found).toHaveLength(32);
    // All; two bodies of four; one of two; halves of 8, 4 and 2 values.
    expect(given.map((names) => names.length)).toEqual([32, 16, 16, 8, 4, 2, 2, 1, 1, 4, 8]);
    expect(splits()).toBe(given.length - 1);
  });

  test('of branches in loops leave the others alone, however many they are', async () => {
    const values = inBodies(80, 2).map((value, at) => ({ ...value, isConditional: at % 4 > 1 }));
    const conditional = values.filter(({ isConditional }) => isConditional);
    const isRejected = new Set(conditional.map(({ name }) => name));
    const { given, trial } = rejecting((name) => isRejected.has(name));
    const found = await new Trials(values).run(
      values.map(({ name }) => name),
      trial,
    );
    const skipped = found.flatMap((each) => ('skipped' in each ? [each.skipped.name] : []));
    expect(new Set(skipped)).toEqual(isRejected);
    expect(skipped).toHaveLength(isRejected.size);
    expect(given.length).toBeLessThan(MOST_REJECTED + 12);
  });

  test.each([
    [
      'Inconsistent shape in loop output',
      'its shape, or that of a value observed with it, differs between the iterations of a loop',
    ],
    ['Out of memory', 'cannot be observed with others: Out of memory'],
  ])('are skipped together after so many: %s', async (said, reason) => {
    const values = inBodies(1, 1000);
    const { given, trial } = rejecting(() => true, said);
    const found = await new Trials(values).run(
      values.map(({ name }) => name),
      trial,
    );
    expect(found).toHaveLength(1000);
    expect(found.every((each) => 'skipped' in each)).toBe(true);
    expect(found.at(-1)).toMatchObject({ skipped: { reason } });
    expect(given.length).toBeLessThan(MOST_REJECTED + 12);
  });
});
