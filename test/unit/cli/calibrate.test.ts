import * as fs from 'node:fs';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import { ifModel } from '../../helpers/body-models.ts';
import { runCommand as run } from '../../helpers/command-line.ts';
import { npyFile } from '../../helpers/npy.ts';
import { floats, layersModel, plantedModel, randomValues } from '../../helpers/onnx-model.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();

test('calibrate says how many values were observed, why others were not, and what stays in float for it', async () => {
  const out = path.join(folder, 'ranges.json');
  const model = writeFile(folder, ifModel());
  const { stdout } = await run('calibrate', model, '--samples', '1', '--out', out);
  expect(stdout).toMatch(/ranges of \d+ of \d+ values, observed on 1 sample\n/);
  expect(stdout).toMatch(/^\d+ not observed: was not computed in any sample$/m);
  expect(stdout).toContain('2 operators stay in float because no range was observed');
  const json = await run('calibrate', model, '--samples', '1', '--out', out, '--json');
  expect(JSON.parse(json.stdout)).toMatchObject({ samples: 1, withoutRange: 2 });
});

test('calibrate compares range methods with the codes that the export chooses', async () => {
  const model = writeFile(folder, plantedModel(48));
  const samples = path.join(folder, 'samples');
  fs.mkdirSync(samples);
  for (const seed of [1, 2, 3])
    fs.writeFileSync(
      path.join(samples, `${seed}.npy`),
      npyFile('<f4', [2, 48], floats(randomValues(96, seed))),
    );
  const best = ['--recipe', 'static-int8-best'];
  const [out, copy] = [path.join(folder, 'best.json'), path.join(folder, 'best.onnx')];
  const few = await run(
    'calibrate',
    model,
    '--inputs',
    samples,
    '--samples',
    '2',
    '--out',
    out,
    '--json',
  );
  expect(JSON.parse(few.stdout)).toMatchObject({ samples: 2 });
  await run('calibrate', model, '--inputs', samples, ...best, '--out', out);
  const inOneStep = ['--mode', 'static', '--calibrate', samples, '--out', copy, '--json'];
  const { stdout } = await run('export', model, ...best, ...inOneStep);
  const { bestRange } = JSON.parse(stdout) as { bestRange: object };
  const saved = JSON.parse(fs.readFileSync(out, 'utf8')) as { best: object };
  expect(saved.best).toEqual(bestRange);

  // Ranges with which nearest codes were chosen need no samples for other codes.
  const withRanges = async (isNearest: boolean) => {
    const file = path.join(folder, `nearest-${isNearest}.json`);
    fs.writeFileSync(file, JSON.stringify({ ...saved, best: { ...saved.best, isNearest } }));
    const args = ['--mode', 'static', '--ranges', file, '--out', copy, '--overwrite'];
    return await run('export', model, ...best, ...args);
  };
  const exported = await withRanges(true);
  expect(exported.status).toBe(0);
  expect(exported.stdout).toContain(
    "percentile 99.99 with nearest codes, the recipe's own range, as no other loses less of the outputs beyond chance; without the rounding of integer kernels: percentile 99.99 ",
  );
  expect((await withRanges(false)).stderr).toContain('chooses codes by GPTQ, which needs samples');
});

test('analyze in mode static counts what the export of the same ranges stores, and says what it is without', async () => {
  const model = writeFile(folder, layersModel());
  const [ranges, out] = [path.join(folder, 'a.json'), path.join(folder, 'a.onnx')];
  await run('calibrate', model, '--samples', '1', '--out', ranges);
  const wanted = ['--recipe', 'static-int8', '--mode', 'static'];
  const analyzed = await run('analyze', model, ...wanted, '--ranges', ranges, '--json');
  expect(analyzed.stderr).toBe('');
  const { total } = JSON.parse(analyzed.stdout) as { total: { quantized: number; kept: number } };
  const made = await run('export', model, ...wanted, '--ranges', ranges, '--out', out, '--json');
  const { quantized, kept } = JSON.parse(made.stdout) as typeof total;
  expect(total).toMatchObject({ quantized, kept });
  const without = await run('analyze', model, ...wanted);
  expect(without.status).toBe(0);
  expect(without.stderr).toContain('figures are those of weights before calibration');
  const other = await run('analyze', model, '--recipe', 'int8', '--ranges', ranges);
  expect([other.status, other.stderr]).toEqual([
    2,
    expect.stringContaining('--ranges is for --mode static, found qdq'),
  ]);
});
