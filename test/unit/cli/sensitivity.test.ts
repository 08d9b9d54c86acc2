import * as path from 'node:path';
import { expect, test } from 'vitest';
import { runCommand, type Ran } from '../../helpers/command-line.ts';
import { plantedModel } from '../../helpers/onnx-model.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const model = writeFile(folder, plantedModel(48));

const run = (...args: string[]): Promise<Ran> =>
  runCommand('sensitivity', model, '--recipe', 'int8', ...args);

test('sensitivity tells what each layer costs the outputs, alone and left out', async () => {
  const { status, stdout } = await run('--in-float', 'both', '--samples', '2', '--json');
  expect(status).toBe(0);
  const { allSqnrDb, layers } = JSON.parse(stdout) as {
    allSqnrDb: number;
    layers: { name: string; onlySqnrDb: number; withoutSqnrDb: number; gainDb: number }[];
  };
  expect(layers.map(({ name }) => name)).toEqual(['w0', 'w1', 'w2', 'w3']);
  for (const { name, onlySqnrDb, withoutSqnrDb, gainDb } of layers) {
    // The outputs lose by w1 alone.
    expect(onlySqnrDb, name).toBeGreaterThan(name === 'w1' ? allSqnrDb - 1 : allSqnrDb + 10);
    expect(gainDb).toBeCloseTo(withoutSqnrDb - allSqnrDb, 9);
    if (name === 'w1') expect(gainDb).toBeGreaterThan(10);
    else expect(gainDb).toBeLessThan(1);
  }
});

test('sensitivity prints what costs most first, and how many layers were not measured', async () => {
  const { stdout } = await run('--layers', '1', '--samples', '1', '--in-float', 'it');
  const lines = stdout.split('\n');
  expect(lines[0]).toMatch(/^SQNR of the outputs: \d+\.\d+ dB with every layer quantized$/);
  expect(lines[1]).toMatch(/^weights +scheme +all but it, dB +gain, dB$/);
  expect(lines[2]).toMatch(/^w1 +int8.* \d+\.\d+ +\d+\.\d+$/);
  expect(stdout).toContain('3 layers whose own outputs lose less were not measured: give --layers');
  expect(await run('--in-float', 'that')).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('--in-float must be others, it, both, found that') as string,
  });
});

test('sensitivity in mode static leaves each layer in float in turn, by ranges or samples that are given', async () => {
  const inStatic = (...args: string[]): Promise<Ran> =>
    runCommand('sensitivity', model, '--recipe', 'static-int8', '--mode', 'static', ...args);
  const ranges = path.join(folder, 'ranges.json');
  await runCommand('calibrate', model, '--samples', '2', '--out', ranges);
  const { status, stdout } = await inStatic('--ranges', ranges, '--samples', '1', '--json');
  expect(status).toBe(0);
  const { layers } = JSON.parse(stdout) as { layers: { withoutSqnrDb: number | null }[] };
  expect(layers).toHaveLength(4);
  for (const { withoutSqnrDb } of layers) expect(withoutSqnrDb).toEqual(expect.any(Number));
  const refused = async (ran: Promise<Ran>) => {
    const { status: code, stderr } = await ran;
    return [code, stderr.replace(/; see .*\n/, '')];
  };
  expect(await refused(inStatic())).toEqual([
    2,
    'quantscope: mode static quantizes activations: give samples with --calibrate DIR, or ranges with --ranges FILE',
  ]);
  expect(await refused(inStatic('--ranges', ranges, '--in-float', 'both'))).toEqual([
    2,
    'quantscope: --in-float must be it in mode static, found both',
  ]);
  expect(await refused(run('--ranges', ranges))).toEqual([
    2,
    'quantscope: --ranges is for --mode static, found qdq',
  ]);
});
