import * as fs from 'node:fs';
import * as path from 'node:path';
import * as ort from 'onnxruntime-node';
import { expect, test } from 'vitest';
import { measureBudget } from '../../../electron/engine/budget.ts';
import { planByOutputs } from '../../../electron/engine/output-plan.ts';
import { measureSensitivity } from '../../../electron/engine/sensitivity.ts';
import { sensitivityTable } from '../../../electron/engine/sensitivity-table.ts';
import { Session } from '../../../electron/engine/session.ts';
import { candidateSchemes, type Budget } from '../../../shared/budget-plan.ts';
import type { Recipe } from '../../../shared/recipe.ts';
import { gainOf } from '../../../shared/sensitivity.ts';
import { testPool } from '../../helpers/engine.ts';
import { recipe } from '../../helpers/export.ts';
import { LITERT_MODELS } from '../../helpers/litert-models.ts';
import { npyFile } from '../../helpers/npy.ts';
import {
  floatTensor,
  layersModel,
  model,
  node,
  plantedModel,
  randomValues,
  value,
} from '../../helpers/onnx-model.ts';
import { sharedRuntime } from '../../helpers/shared-runtime.ts';
import { ONE_THREAD } from '../../helpers/run-onnx.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const pool = testPool();
const options = { signal: new AbortController().signal };

/** A model with two samples of its input, in files. */
function subject(bytes: Uint8Array, dims: readonly number[]) {
  const session = Session.open(writeFile(folder, bytes), pool);
  const size = dims.reduce((a, b) => a * b, 1);
  const samples = [1, 2].map((seed) => Float32Array.from(randomValues(size, seed)));
  const inputs = fs.mkdtempSync(path.join(folder, 'samples-'));
  for (const [at, values] of samples.entries())
    fs.writeFileSync(
      path.join(inputs, `${at}.npy`),
      npyFile('<f4', dims, new Uint8Array(values.buffer)),
    );
  const request = { mode: 'qdq', inputs: { inputs, samples: 2, seed: 0 } } as const;
  return { session, dims, samples, request };
}

type Subject = ReturnType<typeof subject>;

const WIDTH = 48;
const planted = subject(plantedModel(WIDTH), [1, WIDTH]);
const layered = subject(layersModel(), [1, 16, 6, 6]);
const { session, request } = planted;

function budgetOf(...names: string[]): Promise<Budget> {
  return budgetIn(planted, ...names);
}

function budgetIn({ session }: Subject, ...names: string[]): Promise<Budget> {
  const wanted = {
    base: recipe('int8'),
    mode: 'qdq',
    candidates: candidateSchemes(names),
  } as const;
  return measureBudget(session, wanted, options);
}

async function run(of: string, { samples, dims }: Subject): Promise<Float32Array[]> {
  const loaded = await ort.InferenceSession.create(of, {
    ...ONE_THREAD,
    graphOptimizationLevel: 'disabled',
  });
  const outputs: Float32Array[] = [];
  for (const values of samples) {
    const found = await loaded.run({ x: new ort.Tensor('float32', values, dims) });
    outputs.push(found['y']!.data as Float32Array);
  }
  await loaded.release();
  return outputs;
}

/** Noise over signal of the outputs, with one weight alone quantized, by plain arithmetic. */
function bruteForce(name: string, of: Subject = planted): Promise<number> {
  const rules = [{ match: { name: `^${name}$` }, scheme: { dtype: 'int8' as const } }];
  return noiseUnder({ ...recipe('int8'), default: null, rules }, of);
}

async function noiseUnder(wanted: Recipe, of: Subject): Promise<number> {
  const { session } = of;
  const out = path.join(fs.mkdtempSync(path.join(folder, 'copy-')), 'copy.onnx');
  await session.export(wanted, 'qdq', out, options);
  const [before, after] = [await run(session.opened.files[0]!.path, of), await run(out, of)];
  let [signal, noise] = [0, 0];
  for (const [at, values] of before.entries())
    for (const [index, value] of values.entries()) {
      signal += value ** 2;
      noise += (after[at]![index]! - value) ** 2;
    }
  return noise / signal;
}

test.each([
  { of: planted, names: ['w0', 'w1', 'w2', 'w3'], worst: 'w1' },
  { of: layered, names: ['w1', 'w2', 'w3'], worst: 'w3' },
])('what the outputs lose by each layer equals brute force: $worst loses most', async (given) => {
  const { of, names, worst } = given;
  const budget = await budgetIn(of, 'int8');
  const found = await measureSensitivity(
    ...([of.session, sharedRuntime, budget, of.request, options] as const),
  );
  expect(found.map(({ name }) => name)).toEqual(names);
  const forced: { name: string; noise: number }[] = [];
  for (const { name, noise, isMeasured } of found) {
    expect(isMeasured).toBe(true);
    forced.push({ name, noise: await bruteForce(name, given.of) });
    expect(noise / forced.at(-1)!.noise).toBeCloseTo(1, 6);
  }
  const order = (of: readonly { name: string; noise: number }[]): string[] =>
    [...of].sort((a, b) => b.noise - a.noise).map(({ name }) => name);
  expect(order(found)).toEqual(order(forced));
  expect(order(found)[0]).toBe(worst);
});

test.each([
  { of: planted, worst: 'w1' },
  { of: layered, worst: 'w3' },
])('all but it: what the outputs gain without each layer equals brute force', async (given) => {
  const { of, worst } = given;
  const request = { ...of.request, recipe: recipe('int8'), inFloat: 'both' } as const;
  const table = await sensitivityTable(of.session, sharedRuntime, request, options);
  const noise = (db: number | null): number => 10 ** (-db! / 10);
  const all = await noiseUnder(recipe('int8'), of);
  expect(noise(table.allSqnrDb) / all).toBeCloseTo(1, 6);
  const gains: { name: string; gain: number; forced: number }[] = [];
  for (const layer of table.layers) {
    const { name, onlySqnrDb, withoutSqnrDb } = layer;
    const rules = [{ match: { name: `^${name}$` }, scheme: null }];
    const without = await noiseUnder({ ...recipe('int8'), rules }, of);
    expect(noise(withoutSqnrDb) / without).toBeCloseTo(1, 6);
    expect(noise(onlySqnrDb) / (await bruteForce(name, of))).toBeCloseTo(1, 6);
    gains.push({ name, gain: gainOf(layer, table.allSqnrDb)!, forced: all / without });
  }
  const order = (key: 'gain' | 'forced'): string[] =>
    [...gains].sort((a, b) => b[key] - a[key]).map(({ name }) => name);
  expect(order('gain')).toEqual(order('forced'));
  expect(order('gain')[0]).toBe(worst);
});

test('a copy that quantizes a layer alone computes in what the recipe says', async () => {
  const weight = floatTensor('w', [256, 64], randomValues(256 * 64, 3));
  const bytes = model({
    node: [node('MatMul', ['x', 'w'], ['y'])],
    input: [value('x', [1, 256])],
    output: [value('y', [1, 64])],
    initializer: [weight],
  });
  const { session, request } = subject(bytes, [1, 256]);
  const wanted = { ...recipe('int4-block32'), accuracyLevel: 4 } as const;
  const asked = { ...request, mode: 'nbits', inFloat: 'others', recipe: wanted } as const;
  const { layers, allSqnrDb } = await sensitivityTable(session, sharedRuntime, asked, options);
  session.close();
  expect(layers.map(({ onlySqnrDb }) => onlySqnrDb)).toEqual([allSqnrDb]);
});

test('a table of too many layers measures the worst alone, and says nothing of the others', async () => {
  const wanted = { ...request, recipe: recipe('int8'), inFloat: 'it', most: 1 } as const;
  const { layers } = await sensitivityTable(session, sharedRuntime, wanted, options);
  expect(layers.map(({ name, withoutSqnrDb }) => [name, withoutSqnrDb !== null])).toEqual([
    ['w0', false],
    ['w1', true],
    ['w2', false],
    ['w3', false],
  ]);
  expect(layers.map(({ onlySqnrDb }) => onlySqnrDb)).toEqual([null, null, null, null]);
});

test('mode static has no layers that alone are quantized', async () => {
  const wanted = { ...request, mode: 'static', recipe: recipe('int8'), inFloat: 'both' } as const;
  await expect(sensitivityTable(session, sharedRuntime, wanted, options)).rejects.toMatchObject({
    code: 'UNSUPPORTED',
    message: expect.stringContaining(
      'mode static has no layers that alone are quantized',
    ) as string,
  });
});

test('a planted layer loses a hundred times as much as any other', async () => {
  const budget = await budgetOf('int8');
  const found = await measureSensitivity(
    ...([session, sharedRuntime, budget, request, options] as const),
  );
  const [first, second] = found.map(({ noise }) => noise).sort((a, b) => b - a);
  expect(first!).toBeGreaterThan(100 * second!);
});

test('a layer that loses much is measured under a finer scheme as well, and one in 16 bits is not', async () => {
  const budget = await budgetOf('int8', 'int4', 'int16');
  const found = await measureSensitivity(
    ...([session, sharedRuntime, budget, request, options] as const),
  );
  expect(found.map(({ name, scheme }) => [name, scheme.dtype])).toEqual(
    ['w0', 'w1', 'w2', 'w3'].map((name) => [name, 'int4']),
  );
  const finer = found.flatMap((each) => (each.finer === null ? [] : [{ ...each, ...each.finer }]));
  expect(finer.map(({ name }) => name)).toContain('w1');
  for (const { name, scheme, noise } of finer) {
    expect(scheme.dtype).toBe('int8');
    expect(noise / (await bruteForce(name))).toBeCloseTo(1, 6);
  }
});

test('where there are too many layers the worst are measured and the others estimated', async () => {
  const some = { ...request, most: 1 };
  const found = await measureSensitivity(
    session,
    sharedRuntime,
    await budgetOf('int8'),
    some,
    options,
  );
  expect(found.flatMap(({ name, isMeasured }) => (isMeasured ? [name] : []))).toEqual(['w1']);
  // Linear layers pass noise on: an estimate is right to a few dB.
  for (const { name, noise } of found) {
    const dB = 10 * Math.log10(noise / (await bruteForce(name)));
    expect(Math.abs(dB), name).toBeLessThan(10);
  }
});

test('a plan by outputs spends its bytes on the layer that breaks them, and meets a floor as measured', async () => {
  const budget = await budgetOf('int8', 'int4', 'int16');
  const wanted = { ...request, budget };
  const plan = await planByOutputs(
    session,
    sharedRuntime,
    { ...wanted, goal: { minSqnrDb: 25 } },
    options,
  );
  expect(plan.meets).toBe(true);
  expect(plan.outputSqnrDb).toBeGreaterThanOrEqual(25);
  const bits = (name: string): number =>
    Number(
      /\d+/.exec(
        plan.recipe.rules.find(({ match }) => match.name === `^${name}$`)?.scheme?.dtype ?? '32',
      )![0],
    );
  expect(bits('w1')).toBeGreaterThan(Math.max(bits('w0'), bits('w2'), bits('w3')));
  const small = { ...wanted, goal: { maxBytes: plan.fileBytes.after } };
  const same = await planByOutputs(session, sharedRuntime, small, options);
  expect(same.outputSqnrDb).toBeGreaterThanOrEqual(plan.outputSqnrDb! - 1);
  expect(same.fileBytes.after).toBeLessThanOrEqual(plan.fileBytes.after);
});

test('a plan for a floor is no larger than the recipe, where that meets it', async () => {
  const loss = await noiseUnder(recipe('int8'), planted);
  const goal = { minSqnrDb: -10 * Math.log10(loss) - 0.01 };
  const wanted = { ...request, budget: await budgetOf('int16'), goal };
  const plan = await planByOutputs(session, sharedRuntime, wanted, options);
  const { bytesAfter } = await session.previewExport(recipe('int8'), 'qdq', options);
  expect(plan.meets).toBe(true);
  expect(plan.fileBytes.after).toBeLessThanOrEqual(bytesAfter);
});

test('without candidates a plan keeps the layers in float that a floor of dB at the outputs needs', async () => {
  const wanted = { ...request, budget: await budgetOf(), goal: { minSqnrDb: 35 } };
  const {
    meets,
    recipe: found,
    outputSqnrDb,
  } = await planByOutputs(session, sharedRuntime, wanted, options);
  expect(meets).toBe(true);
  expect(outputSqnrDb).toBeGreaterThanOrEqual(35);
  expect(found.rules.map(({ match }) => match.name)).toEqual(['^w0$', '^w2$', '^w3$']);
});

test('a layer so small that its copy would quantize nothing is estimated, and not taken for harmless', async () => {
  const session = Session.open(LITERT_MODELS.faceShort, pool);
  const base = { ...recipe('litert-dynamic'), minElements: 2000 };
  const keeps = ['conv2d_4', 'conv2d_16'].map((layer) => ({ match: { layer: `^${layer}$` } }));
  const rules = [
    { match: { name: '.' }, scheme: null },
    ...keeps.map(({ match }) => ({ match, scheme: base.default })),
  ];
  const wanted = {
    base: { ...base, default: null, rules },
    mode: 'dynamic',
    candidates: [],
  } as const;
  const inputs = { inputs: null, samples: 1, seed: 0 };
  const found = await measureSensitivity(
    ...([session, sharedRuntime, await measureBudget(session, wanted, options)] as const),
    ...([{ mode: 'dynamic', inputs }, options] as const),
  );
  session.close();
  expect(found.map(({ name, isMeasured }) => [name, isMeasured])).toEqual([
    ['conv2d_4/Kernel', false],
    ['conv2d_16/Kernel', true],
  ]);
  // The one that is measured passes as much of its noise on.
  expect(found[0]!.noise / found[1]!.noise).toBeGreaterThan(0.1);
});
