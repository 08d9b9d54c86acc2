import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { EngineServer } from '../../../electron/engine/server.ts';
import { equalizationLines } from '../../../shared/equalization.ts';
import type { LayerErrors } from '../../../shared/layer-errors.ts';
import type { Ranges } from '../../../shared/ranges.ts';
import type { Recipe } from '../../../shared/recipe.ts';
import { runCommand } from '../../helpers/command-line.ts';
import { testPool } from '../../helpers/engine.ts';
import { Page } from '../../helpers/engine-page.ts';
import { recipe } from '../../helpers/export.ts';
import { npyFile } from '../../helpers/npy.ts';
import { floats, floatTensor, model, node, randomValues, value } from '../../helpers/onnx-model.ts';
import { outputSqnr, runOnnx } from '../../helpers/run-onnx.ts';
import { sharedRuntime } from '../../helpers/shared-runtime.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const pool = testPool();
const { default: base } = recipe('static-int8');
const tensorwise = recipe('static-int8', {
  ...{ name: 'tensorwise', minElements: 0 },
  default: { ...base!, granularity: 'tensor' },
});
const equalizing: Recipe = { ...tensorwise, equalize: true };

const CHANNELS = 16;
/** Powers of two that are far apart. */
const SPREAD = Array.from({ length: CHANNELS }, (_, at) => 2 ** (((at * 7) % 11) - 5));

/** x -> Conv -> Relu -> Conv -> y, whose first Conv makes channels of magnitudes that are far apart. */
function spreadModel(): Uint8Array {
  const first = randomValues(CHANNELS * 27, 1).map(
    (each, at) => each * SPREAD[Math.floor(at / 27)]!,
  );
  const last = randomValues(8 * CHANNELS * 9, 2).map(
    (each, at) => each / SPREAD[Math.floor(at / 9) % CHANNELS]!,
  );
  return model({
    node: [
      node('Conv', ['x', 'first', 'bias'], ['c']),
      node('Relu', ['c'], ['r']),
      node('Conv', ['r', 'last'], ['y']),
    ],
    initializer: [
      floatTensor('first', [CHANNELS, 3, 3, 3], first),
      floatTensor(
        'bias',
        [CHANNELS],
        SPREAD.map((each, at) => each * Math.sin(at)),
      ),
      floatTensor('last', [8, CHANNELS, 3, 3], last),
    ],
    input: [value('x', [1, 3, 12, 12])],
    output: [value('y', [1, 8, 8, 8])],
  });
}

const file = writeFile(folder, spreadModel(), 'spread.onnx');
const feeds = { x: { shape: [1, 3, 12, 12], dtype: 'float32' } } as const;
const sqnrOf = async (out: string): Promise<number> =>
  outputSqnr((await runOnnx(file, feeds, 9))['y']!, (await runOnnx(out, feeds, 9))['y']!);
const saved = (wanted: Recipe): string =>
  writeFile(folder, Buffer.from(JSON.stringify(wanted)), `${wanted.name}-${wanted.equalize}.json`);

describe('the command line', () => {
  const inMode = ['--mode', 'static', '--overwrite'];
  const ranges = path.join(folder, 'ranges.json');
  const calibrate = (wanted: Recipe) =>
    runCommand('calibrate', file, '--recipe', saved(wanted), '--samples', '4', '--out', ranges);
  const exported = (wanted: Recipe, name: string) => {
    const out = path.join(folder, name);
    const args = ['--recipe', saved(wanted), '--ranges', ranges, '--out', out];
    return runCommand('export', file, ...inMode, ...args);
  };

  test('exports a model whose channels are far apart without loss, and says what it equalized', async () => {
    await calibrate(tensorwise);
    const { stderr } = await exported(equalizing, 'other.onnx');
    expect(stderr).toContain('the ranges are of weights that are not equalized');
    await exported(tensorwise, 'plain.onnx');
    expect((await calibrate(equalizing)).stdout).toContain('equalized: the results of 1 layer');
    const { stdout } = await exported(equalizing, 'even.onnx');
    expect(stdout).toMatch(
      /^equalized: the results of 1 layer, by factors of 2\^-\d to 2\^\d; float results are the same$/m,
    );
    expect(stdout).toContain('not equalized: 1 layer: its result is an output of the model');
    const [plain, even] = [
      await sqnrOf(path.join(folder, 'plain.onnx')),
      await sqnrOf(path.join(folder, 'even.onnx')),
    ];
    expect(plain).toBeLessThan(10);
    expect(even).toBeGreaterThan(28);
    expect(await sqnrOf(path.join(folder, 'other.onnx'))).toBeCloseTo(plain, 5);
  });

  test('chooses by the outputs in one step as in two', async () => {
    const byOutputs: Recipe = { ...tensorwise, name: 'by outputs', equalize: 'byOutputs' };
    const samples = path.join(folder, 'samples');
    fs.mkdirSync(samples);
    for (let at = 0; at < 8; at++)
      fs.writeFileSync(
        path.join(samples, `${at}.npy`),
        npyFile('<f4', [1, 3, 12, 12], floats(randomValues(432, at + 20))),
      );
    const given = ['--recipe', saved(byOutputs)];
    await runCommand('calibrate', file, ...given, '--inputs', samples, '--out', ranges);
    await exported(byOutputs, 'two.onnx');
    const out = path.join(folder, 'one.onnx');
    const args = [...given, ...inMode, '--calibrate', samples, '--out', out];
    const { stdout } = await runCommand('export', file, ...args);
    expect(stdout).toContain('equalized: the results of 1 layer');
    expect(fs.readFileSync(out)).toEqual(fs.readFileSync(path.join(folder, 'two.onnx')));
  });

  test('measures each layer against the same factors', async () => {
    const out = path.join(folder, 'layers.onnx');
    await calibrate(equalizing);
    await exported(equalizing, 'layers.onnx');
    const { stdout } = await runCommand(
      'verify',
      file,
      out,
      '--layers',
      '--samples',
      '2',
      '--json',
    );
    const { layers } = JSON.parse(stdout) as { layers: LayerErrors['layers'] };
    expect(layers.map(({ op }) => op)).toContain('Conv');
    for (const { name, localSqnrDb } of layers) expect(localSqnrDb, name).toBeGreaterThan(28);
  });

  test('warns where the ranges are of weights that another recipe left as they are', async () => {
    const byOutputs: Recipe = { ...tensorwise, name: 'too few', equalize: 'byOutputs' };
    await runCommand(
      'calibrate',
      file,
      '--recipe',
      saved(byOutputs),
      '--samples',
      '2',
      '--out',
      ranges,
    );
    const { stderr, stdout } = await exported(equalizing, 'not.onnx');
    expect(stderr).toContain('the ranges are of weights that are not equalized');
    expect(stdout).toContain('not equalized: the model was calibrated without equalization');
  });

  test('warns where a mode leaves weights as they are', async () => {
    const out = path.join(folder, 'qdq.onnx');
    const args = ['--recipe', saved(equalizing), '--out', out];
    const { stderr } = await runCommand('export', file, ...args);
    expect(stderr).toContain('weights are equalized in mode static only');
  });

  test('rejects ranges of equalized weights for recipes without, and layers that the model has not', async () => {
    await calibrate(equalizing);
    const refused = await exported(tensorwise, 'none.onnx');
    expect(refused.stderr).toMatch(/BAD_USAGE: .*holds ranges of equalized weights/);
    const found = JSON.parse(fs.readFileSync(ranges, 'utf8')) as Ranges;
    const [layer] = found.equalization!.layers;
    const changed = { ...layer!, exponents: [1, 2] };
    const equalization = { ...found.equalization, layers: [changed] };
    fs.writeFileSync(ranges, JSON.stringify({ ...found, equalization }));
    const strange = await exported(equalizing, 'none.onnx');
    expect(strange.stderr).toMatch(/holds ranges of another model .*layer Conv_c of 2 channels/);
    const far = { ...layer!, exponents: new Array<number>(CHANNELS).fill(21) };
    fs.writeFileSync(
      ranges,
      JSON.stringify({ ...found, equalization: { ...equalization, layers: [far] } }),
    );
    expect((await exported(equalizing, 'none.onnx')).stderr).toContain('equalization.layers.0');
    expect(fs.existsSync(path.join(folder, 'none.onnx'))).toBe(false);
  });
});

describe('the engine', () => {
  const calibrated = { handle: 'model', mode: 'static', choosesCodes: false } as const;
  const samples = { inputs: null, samples: 4, seed: 1 };

  async function opened(bytes = spreadModel()) {
    const server = new EngineServer(pool, sharedRuntime);
    const source = writeFile(folder, bytes);
    server.grant({ type: 'grant', handle: 'model', path: source, use: 'read' });
    const page = new Page(server);
    const { tensors } = await page.ask('open', { handle: 'model' });
    const outline = async (wanted: Recipe) =>
      (await page.ask('previewExport', { handle: 'model', recipe: wanted, mode: 'static' }))
        .outline!;
    return { page, tensors, outline };
  }

  test('measures each recipe on the weights that it exports', async () => {
    const { page, tensors, outline } = await opened();
    await page.ask('calibrate', { ...calibrated, ...samples, recipe: equalizing, equalizes: true });
    const [layer] = (await outline(equalizing)).equalization!.layers;
    expect(layer).toMatchObject({ name: 'Conv_c', takers: ['Conv_y'] });
    expect((await outline(tensorwise)).equalization).toBeUndefined();
    const { id } = tensors.find(({ name }) => name === 'first')!;
    const asked = { handle: 'model', tensor: id, mode: 'static', bins: 16 } as const;
    const both = await page.ask('inspect', { ...asked, a: equalizing, b: tensorwise });
    const [even, plain] = [both.a!.report, both.b!.report];
    expect(plain.max).toBeGreaterThan(16);
    expect(even.max).toBeLessThan(4);
    const alone = await page.ask('inspect', { ...asked, a: tensorwise, b: null });
    expect(alone.a).toEqual(both.b);
  });

  test('plans without factors until the model is calibrated with them, and says so', async () => {
    const { page, outline } = await opened();
    await page.ask('calibrate', { ...calibrated, ...samples, recipe: tensorwise });
    expect((await outline(equalizing)).equalization).toEqual({
      ...{ layers: [], left: [] },
      dropped: 'the model was calibrated without equalization; calibrate it again with this recipe',
    });
  });

  test('equalizes by outputs where they lose less then, and measures other recipes without', async () => {
    const { page, outline } = await opened();
    const byOutputs: Recipe = { ...tensorwise, equalize: 'byOutputs' };
    const asked = { ...calibrated, ...samples, samples: 8, recipe: byOutputs };
    await page.ask('calibrate', { ...asked, equalizes: true, equalizeOf: byOutputs });
    const taken = (await outline(byOutputs)).equalization!;
    expect(taken.layers).toHaveLength(1);
    expect(taken.tried!.with! - taken.tried!.without!).toBeGreaterThan(20);
    expect(equalizationLines(taken)[1]).toMatch(
      /^SQNR of the outputs on calibration samples: \d+\.\d dB with equalized weights, -?\d+\.\d dB without$/,
    );
    // What exports lose was measured for the recipe that asked.
    const { tried: _, ...own } = taken;
    expect(await outline(equalizing)).toEqual({ ...(await outline(byOutputs)), equalization: own });
    expect((await outline(tensorwise)).equalization).toBeUndefined();
  });

  test('keeps weights where samples are too few to tell, and says so', async () => {
    const { page, outline } = await opened();
    const byOutputs: Recipe = { ...tensorwise, equalize: 'byOutputs' };
    const asked = { ...calibrated, ...samples, recipe: byOutputs };
    await page.ask('calibrate', { ...asked, equalizes: true, equalizeOf: byOutputs });
    const kept = (await outline(byOutputs)).equalization!;
    expect(kept).toMatchObject({
      ...{ layers: [], left: [{ name: 'Conv_y' }] },
      dropped:
        'exports lose less of the outputs with it, but fewer than 8 samples cannot tell this from chance',
    });
    expect(kept.tried!.with!).toBeGreaterThan(kept.tried!.without!);
    const own = (await outline(equalizing)).equalization!;
    expect(own.layers).toHaveLength(1);
    expect(own.tried).toBeUndefined();
  });
});
