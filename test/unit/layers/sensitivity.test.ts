import * as fs from 'node:fs';
import * as path from 'node:path';
import * as ort from 'onnxruntime-node';
import { expect, test } from 'vitest';
import { measureBudget } from '../../../electron/engine/budget.ts';
import { measureSensitivity, planByOutputs } from '../../../electron/engine/sensitivity.ts';
import { Session } from '../../../electron/engine/session.ts';
import { candidateSchemes, type Budget } from '../../../shared/budget-plan.ts';
import { RUNTIME_SCRIPT, testPool } from '../../helpers/engine.ts';
import { recipe } from '../../helpers/export.ts';
import { npyFile } from '../../helpers/npy.ts';
import { plantedModel, randomValues } from '../../helpers/onnx-model.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const pool = testPool();
const options = { signal: new AbortController().signal };

const WIDTH = 48;
const file = writeFile(folder, plantedModel(WIDTH));
const samples = [1, 2].map((seed) => Float32Array.from(randomValues(WIDTH, seed)));
const inputs = path.join(folder, 'samples');
fs.mkdirSync(inputs);
for (const [at, values] of samples.entries())
  fs.writeFileSync(
    path.join(inputs, `${at}.npy`),
    npyFile('<f4', [1, WIDTH], new Uint8Array(values.buffer)),
  );
const request = { mode: 'qdq', inputs: { inputs, samples: 2, seed: 0 } } as const;

const session = Session.open(file, pool);

function budgetOf(...names: string[]): Promise<Budget> {
  const wanted = {
    base: recipe('int8'),
    mode: 'qdq',
    candidates: candidateSchemes(names),
  } as const;
  return measureBudget(session, wanted, options);
}

async function run(of: string): Promise<Float32Array[]> {
  const loaded = await ort.InferenceSession.create(of, { graphOptimizationLevel: 'disabled' });
  const outputs: Float32Array[] = [];
  for (const values of samples) {
    const found = await loaded.run({ x: new ort.Tensor('float32', values, [1, WIDTH]) });
    outputs.push(found['y']!.data as Float32Array);
  }
  await loaded.release();
  return outputs;
}

/** Noise over signal of the outputs, with one weight alone quantized, by plain arithmetic. */
async function bruteForce(name: string): Promise<number> {
  const out = path.join(folder, `only-${name}.onnx`);
  const rules = [{ match: { name: `^${name}$` }, scheme: { dtype: 'int8' as const } }];
  await session.export({ ...recipe('int8'), default: null, rules }, 'qdq', out, options);
  const [before, after] = [await run(file), await run(out)];
  let [signal, noise] = [0, 0];
  for (const [at, values] of before.entries())
    for (const [index, value] of values.entries()) {
      signal += value ** 2;
      noise += (after[at]![index]! - value) ** 2;
    }
  return noise / signal;
}

test('what the outputs lose by each layer equals brute force, and the planted layer loses most', async () => {
  const found = await measureSensitivity(
    session,
    RUNTIME_SCRIPT,
    await budgetOf('int8'),
    request,
    options,
  );
  const names = ['w0', 'w1', 'w2', 'w3'];
  expect(found.map(({ name }) => name)).toEqual(names);
  for (const { name, noise, isMeasured } of found) {
    expect(isMeasured).toBe(true);
    expect(noise / (await bruteForce(name))).toBeCloseTo(1, 6);
  }
  const worst = [...found].sort((a, b) => b.noise - a.noise);
  expect(worst[0]!.name).toBe('w1');
  expect(worst[0]!.noise).toBeGreaterThan(100 * worst[1]!.noise);
});

test('where there are too many layers the worst are measured and the others estimated', async () => {
  const some = { ...request, most: 1 };
  const found = await measureSensitivity(
    session,
    RUNTIME_SCRIPT,
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
    RUNTIME_SCRIPT,
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
  const same = await planByOutputs(session, RUNTIME_SCRIPT, small, options);
  expect(same.outputSqnrDb).toBeGreaterThanOrEqual(plan.outputSqnrDb! - 1);
  expect(same.fileBytes.after).toBeLessThanOrEqual(plan.fileBytes.after);
});

test('without candidates a plan keeps the layers in float that a floor of dB at the outputs needs', async () => {
  const wanted = { ...request, budget: await budgetOf(), goal: { minSqnrDb: 35 } };
  const {
    meets,
    recipe: found,
    outputSqnrDb,
  } = await planByOutputs(session, RUNTIME_SCRIPT, wanted, options);
  expect(meets).toBe(true);
  expect(outputSqnrDb).toBeGreaterThanOrEqual(35);
  expect(found.rules.map(({ match }) => match.name)).toEqual(['^w0$', '^w2$', '^w3$']);
});
