import { expect, test } from 'vitest';
import { EngineServer } from '../../../electron/engine/server.ts';
import { countMatches } from '../../../electron/engine/rule-counts.ts';
import { exactPattern, patternsOf } from '../../../shared/patterns.ts';
import { planWeights } from '../../../shared/plan.ts';
import { MAX_RULES } from '../../../shared/recipe-file.ts';
import { findPreset } from '../../../shared/presets.ts';
import { SearchTime } from '../../../shared/rule-matcher.ts';
import { cpuMilliseconds } from '../../helpers/cpu.ts';
import { testPool } from '../../helpers/engine.ts';
import { Page } from '../../helpers/engine-page.ts';
import { sharedRuntime } from '../../helpers/shared-runtime.ts';
import { safetensorsFile } from '../../helpers/safetensors.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';
import { tensor } from '../renderer/tensors.ts';

const folder = temporaryFolder();
const pool = testPool();

test('counts what names, layers, operators and roles match, together and alone', () => {
  const tensors = [tensor(0), tensor(1, { op: 'Conv' }), tensor(2, { role: 'bias' })];
  const counts = countMatches(
    [
      ...[{}, { op: 'Conv' }, { role: 'bias' }, { op: 'Conv', role: 'bias' }, { op: 'None' }],
      ...[{ name: '^w' }, { name: '^w', op: 'Conv' }, { layer: '^layer1$' }],
      ...[
        { layer: '^layer1$', name: '^w0$' },
        { name: '^w1$', op: 'Conv' },
      ],
      ...[{ name: '^w1$', op: 'MatMul' }, { name: '^(?:w0|w2|w2|gone)$' }],
    ],
    tensors,
  );
  expect(counts).toEqual([3, 1, 1, 0, 0, 3, 1, 1, 0, 1, 0, 2]);
});

test('patterns that are slow share one limit, and rules of names are counted all the same', () => {
  const slow = { name: '(?:a?){60}[a-m]{30}z' };
  // As if an earlier rule had taken all of the time.
  const counts = countMatches([slow, slow, { name: '^w1$' }], [tensor(1)], new SearchTime(-1));
  expect(counts).toEqual([null, null, 1]);
});

test('100,000 rules of names, operators and roles on 10,000 tensors are counted in linear time', () => {
  const tensors = Array.from({ length: 10_000 }, (_, id) => tensor(id));
  const matches = Array.from({ length: MAX_RULES }, (_, at) =>
    at % 2 === 0 ? { name: exactPattern(`w${at % 10_000}`) } : { op: 'MatMul', role: `r${at}` },
  );
  const time = cpuMilliseconds(() => {
    const counts = countMatches(matches, tensors);
    expect(counts.reduce((sum: number, count) => sum + (count ?? 0), 0)).toBe(MAX_RULES / 2);
  });
  expect(time).toBeLessThan(3000);
});

test('a page asks for counts, also of a pattern that backtracks and of one that is not supported', async () => {
  const one = { dtype: 'F32', shape: [2, 2], bytes: new Uint8Array(16) } as const;
  const names = [`${'a'.repeat(60)}b.weight`, 'aaa.weight', 'b.weight'];
  const bytes = safetensorsFile(Object.fromEntries(names.map((name) => [name, one])));
  const server = new EngineServer(pool, sharedRuntime);
  const path = writeFile(folder, bytes, 'm.safetensors');
  server.grant({ type: 'grant', handle: 'm', path, use: 'read' });
  const page = new Page(server);
  await page.ask('open', { handle: 'm' });
  const ask = (...matches: { name: string }[]) =>
    page.ask('countMatches', { handle: 'm', matches });
  const [all] = patternsOf(names.slice(0, 1));
  expect(await ask({ name: '^(a+)+\\.weight$' }, { name: all! })).toEqual([1, 1]);
  await expect(ask({ name: '(?=a)' })).rejects.toMatchObject({
    code: 'BAD_RECIPE',
    details: { field: 'rules.0.match.name' },
  });
  // What takes the page too long is planned here, by the same rules.
  const recipe = {
    ...findPreset('float16')!,
    minElements: 0,
    rules: [{ match: { name: '^a{3}\\.' }, scheme: null }],
  };
  const plan = await page.ask('planWeights', { handle: 'm', recipe });
  const { tensors } = await page.ask('open', { handle: 'm' });
  expect(plan).toEqual(planWeights(tensors, recipe));
  expect(plan.filter(({ byRule }) => byRule)).toHaveLength(1);
  await page.ask('close', { handle: 'm' });
});
