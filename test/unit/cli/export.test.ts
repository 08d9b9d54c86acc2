import * as fs from 'node:fs';
import * as path from 'node:path';
import { onnx } from 'onnx-proto';
import { describe, expect, test } from 'vitest';
import type { Preparation } from '../../../shared/preparation.ts';
import { findPreset, PRESETS } from '../../../shared/presets.ts';
import type { Recipe } from '../../../shared/recipe.ts';
import { runCommand as run } from '../../helpers/command-line.ts';
import { LITERT_MODELS } from '../../helpers/litert-models.ts';
import { npyFile } from '../../helpers/npy.ts';
import { matMulModel, randomValues } from '../../helpers/onnx-model.ts';
import { floats, safetensorsFile } from '../../helpers/safetensors.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';
import { torchLstm } from '../../helpers/torch-lstm.ts';

const folder = temporaryFolder();

test('an export that quantizes nothing is refused with the reasons, unless it is asked for', async () => {
  const model = writeFile(folder, matMulModel(8, 8));
  const out = path.join(folder, 'same.onnx');
  const args = ['export', model, '--recipe', 'int8', '--out', out];
  const { status, stdout, stderr } = await run(...args);
  expect([status, stdout]).toEqual([1, '']);
  expect(stderr).toMatch(
    /^quantscope: UNSUPPORTED: .*same\.onnx, mode qdq: .*would quantize no tensor.*--allow-unchanged \(found 1 kept: under 1024 elements, the minimum size of the recipe\)\n$/,
  );
  expect(fs.existsSync(out)).toBe(false);
  expect((await run(...args, '--allow-unchanged')).status).toBe(0);
  expect(fs.readFileSync(out)).toEqual(fs.readFileSync(model));
});

test('rules of a recipe file that match nothing in the model are named in a warning', async () => {
  const model = writeFile(folder, matMulModel(64, 64));
  const rules = [{ match: { name: '^other' }, scheme: null }, ...[1, 2, 3, 4].map(ofLayer)];
  const recipe = path.join(folder, 'other.json');
  fs.writeFileSync(recipe, JSON.stringify({ ...PRESETS[2], rules }));
  const out = path.join(folder, 'rules.onnx');
  const words =
    'quantscope: warning: 4 rules match nothing in this model: tensor ^other; layer ^2$; layer ^3$; and 1 more\n';
  for (const args of [
    ['export', model, '--recipe', recipe, '--out', out],
    ['analyze', model, '--recipe', recipe],
    ['plan', model, '--recipe', recipe, '--max-bytes', '1MB'],
  ])
    expect(await run(...args)).toMatchObject({ status: 0, stderr: words });
});

/** A rule of a layer; that of the first matches any. */
function ofLayer(number: number): object {
  return { match: { layer: number === 1 ? '.' : `^${number}$` }, scheme: { dtype: 'int8' } };
}

describe('a recipe that chooses codes on samples', () => {
  const model = writeFile(folder, matMulModel(64, 48));
  const samples = path.join(folder, 'samples');
  fs.mkdirSync(samples);
  const values = Float32Array.from(randomValues(32 * 64, 4));
  const array = npyFile('<f4', [32, 64], new Uint8Array(values.buffer));
  fs.writeFileSync(path.join(samples, 'x.npy'), array);
  const out = path.join(folder, 'gptq.onnx');

  test.each(['export', 'analyze'])(
    '%s takes them with --calibrate, and refuses it without',
    async (name) => {
      const args = [name, model, '--recipe', 'int4-gptq', '--mode', 'nbits', '--json'];
      if (name === 'export') args.push('--out', out);
      const refused = await run(...args);
      expect([refused.status, refused.stdout]).toEqual([2, '']);
      expect(refused.stderr).toContain('GPTQ, which needs samples: give them with --calibrate DIR');
      const { status, stdout } = await run(...args, '--calibrate', samples);
      expect(status).toBe(0);
      if (name === 'export') expect(JSON.parse(stdout)).toMatchObject({ quantized: 1 });
      else
        expect(JSON.parse(stdout)).toMatchObject({
          tensors: [{ scheme: { algorithm: 'gptq', dtype: 'int4' }, reason: null }],
        });
    },
  );
});

describe('the name of an export', () => {
  test.each([
    ['a.tflite', 1, /TARGET: .*a\.tflite: .*ONNX.*\(found \.tflite, expected \.onnx\)/],
    ['a', 1, /TARGET: .*\(found no extension, expected \.onnx\)/],
    ['A.ONNX', 0, /^$/],
  ] as const)('of an ONNX model: %s', async (name, expected, message) => {
    const model = writeFile(folder, matMulModel(64, 64));
    const out = path.join(folder, name);
    const { status, stderr } = await run('export', model, '--recipe', 'int8', '--out', out);
    expect([status, stderr]).toEqual([expected, expect.stringMatching(message)]);
    expect(fs.existsSync(out)).toBe(expected === 0);
  });

  test.each([
    ['b.litert', 0],
    ['b.tflite', 0],
    ['b.onnx', 1],
  ])('of a LiteRT model: %s', async (name, expected) => {
    const out = path.join(folder, name);
    const args = ['export', LITERT_MODELS.faceFull, '--recipe', 'litert-dynamic', '--out', out];
    const { status } = await run(...args);
    expect(status).toBe(expected);
  });
});

describe('--prepare', () => {
  const model = writeFile(folder, torchLstm());
  const words = [
    'prepared: 11 operators became 1, 2 constants computed in advance',
    /^the prepared copy differs from the source by float rounding \(\d+ dB\) on 2 samples$/m,
  ];

  test('is what "prepare" of a recipe is: one export, whose file says so', async () => {
    const recipe = path.join(folder, 'prepared.json');
    fs.writeFileSync(recipe, JSON.stringify({ ...findPreset('int8')!, prepare: true }));
    const [first, second] = ['flag.onnx', 'field.onnx'].map((name) => path.join(folder, name));
    const flag = await run('export', model, '--recipe', 'int8', '--prepare', '--out', first!);
    const field = await run('export', model, '--recipe', recipe, '--out', second!);
    for (const { status, stdout } of [flag, field]) {
      expect(status).toBe(0);
      for (const each of words) expect(stdout).toMatch(each);
    }
    const graphs = [first!, second!].map((file) => {
      const bytes = fs.readFileSync(file);
      expect(bytes.includes('"prepare":true')).toBe(true);
      return onnx.ModelProto.decode(bytes).graph;
    });
    expect(graphs[1]).toEqual(graphs[0]);
  });

  test('analyze and sensitivity measure that copy, and a plan names its tensors', async () => {
    const analyzed = await run('analyze', model, '--recipe', 'int8', '--prepare', '--json');
    const { tensors, preparation } = JSON.parse(analyzed.stdout) as {
      tensors: { name: string; folded: boolean; bytesBefore: number; bytesAfter: number }[];
      preparation: Preparation;
    };
    expect(preparation.constants).toBe(2);
    expect(tensors.filter(({ folded }) => folded)).toHaveLength(7);
    const out = path.join(folder, 'plan.json');
    const goal = ['--max-bytes', '12kB', '--candidates', 'int4-block32', '--out', out];
    const planned = await run('plan', model, '--recipe', 'int8', '--prepare', ...goal);
    expect(planned.status).toBe(0);
    const { prepare, rules } = JSON.parse(fs.readFileSync(out, 'utf8')) as Recipe;
    expect([prepare, rules.map(({ match }) => match.name)]).toEqual([true, ['^R$', '^W$']]);
    const made = path.join(folder, 'planned.onnx');
    expect(await run('export', model, '--recipe', out, '--out', made)).toMatchObject({
      stderr: '',
    });
    expect(fs.statSync(made).size).toBeLessThanOrEqual(12_000);
    const measured = await run('sensitivity', model, '--recipe', 'int8', '--prepare', '--json');
    const { layers } = JSON.parse(measured.stdout) as { layers: { name: string }[] };
    expect(layers.map(({ name }) => name)).toEqual(['R', 'W']);
  });

  test.each([
    [LITERT_MODELS.faceShort, 'a LiteRT model has nothing to prepare: its converter has'],
    [
      writeFile(folder, safetensorsFile({ w: floats([64, 64]) }), 'w.safetensors'),
      'a checkpoint has nothing to prepare',
    ],
  ])('of %s is refused in a sentence, and in a recipe a warning', async (file, why) => {
    const out = path.join(folder, `none${path.extname(file)}`);
    const args = ['export', file, '--out', out, '--allow-unchanged', '--recipe'];
    const refused = await run(...args, 'float16', '--prepare');
    expect(refused.status).toBe(2);
    expect(refused.stderr).toContain(`--prepare is for ONNX models: ${why}`);
    const recipe = path.join(folder, 'warned.json');
    fs.writeFileSync(recipe, JSON.stringify({ ...findPreset('float16')!, prepare: true }));
    const warned = await run(...args, recipe);
    expect(warned.status).toBe(0);
    expect(warned.stderr).toContain(`quantscope: warning: ${why}`);
  });
});
