import * as fs from 'node:fs';
import * as path from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { parseRecipe } from '../../../shared/recipe-file.ts';
import { findPreset } from '../../../shared/presets.ts';
import type { Total } from '../../../shared/report.ts';
import { runCommand as run } from '../../helpers/command-line.ts';
import { LITERT_MODELS } from '../../helpers/litert-models.ts';
import { REAL_MODELS } from '../../helpers/real-models.ts';
import { temporaryFolder } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const sample = REAL_MODELS[2]!.file;

interface Planned {
  readonly total: Total;
  readonly meets: boolean;
  readonly recipe: unknown;
  readonly fileBytes: { readonly before: number; readonly after: number };
}

/** What export tells of a file in mode static. */
interface Exported {
  readonly bytesAfter: number;
  readonly quantized: number;
  readonly kept: number;
  readonly integerOperators: number;
}

async function totalOf(...args: string[]): Promise<Planned> {
  const { status, stdout, stderr } = await run(...args, '--json');
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return JSON.parse(stdout) as Planned;
}

const int8 = (await totalOf('analyze', sample, '--recipe', 'int8')).total;

describe('plan', () => {
  test('fits a file of so many bytes, and its recipe gives the totals and the size it says', async () => {
    const out = path.join(folder, 'budget.json');
    const limit = '240kB';
    const plan = await totalOf(
      ...['plan', sample, '--recipe', 'int8', '--max-bytes', limit, '--out', out],
    );
    expect(plan.meets).toBe(true);
    expect(plan.fileBytes.after).toBeLessThanOrEqual(240_000);
    const written: unknown = JSON.parse(fs.readFileSync(out, 'utf8'));
    expect(written).toEqual(plan.recipe);
    expect(parseRecipe(written)).toEqual(written);
    const { total } = await totalOf('analyze', sample, '--recipe', out);
    expect(total.bytesAfter).toBe(plan.total.bytesAfter);
    expect(total.sqnrDb).toBeCloseTo(plan.total.sqnrDb!, 9);
    const target = path.join(folder, 'budget.onnx');
    expect((await run('export', sample, '--recipe', out, '--out', target)).status).toBe(0);
    expect(fs.statSync(target).size).toBe(plan.fileBytes.after);
  });

  test('in the file of int8 has no more noise', async () => {
    const target = path.join(folder, 'int8.onnx');
    expect((await run('export', sample, '--recipe', 'int8', '--out', target)).status).toBe(0);
    // To the byte: the recipe as it is needs no rules, and is the plan where no mix is better.
    const limit = String(fs.statSync(target).size);
    const plan = await totalOf('plan', sample, '--recipe', 'int8', '--max-bytes', limit);
    expect(plan.meets).toBe(true);
    expect(plan.total.sqnrDb).toBeGreaterThanOrEqual(int8.sqnrDb!);
  });

  test('chooses from the candidates that are named, and refuses others', async () => {
    const args = ['plan', sample, '--recipe', 'float16', '--max-bytes', '400000'];
    const plan = await totalOf(...args, '--candidates', 'int16');
    expect(JSON.stringify(plan.recipe)).not.toMatch(/int8|int4/);
    const { status, stderr } = await run(...args, '--candidates', 'int3');
    expect([status, stderr]).toEqual([1, expect.stringMatching(/BAD_USAGE.*int3.*int4-block32/)]);
  });

  test('at the dB of int8 takes no more bytes', async () => {
    const floor = String(int8.sqnrDb);
    const plan = await totalOf('plan', sample, '--recipe', 'int8', '--min-sqnr', floor);
    expect(plan.meets).toBe(true);
    expect(plan.total.sqnrDb).toBeGreaterThanOrEqual(int8.sqnrDb! - 1e-9);
    expect(plan.total.bytesAfter).toBeLessThanOrEqual(int8.bytesAfter);
  });

  test('of a LiteRT model holds what its export stores, in few bits, too', async () => {
    const [model, out] = [LITERT_MODELS.faceFull, path.join(folder, 'litert.json')];
    const plan = await totalOf(
      'plan',
      model,
      '--recipe',
      'litert-dynamic',
      '--max-bytes',
      '420000',
      '--out',
      out,
    );
    expect(plan.meets).toBe(true);
    expect(JSON.stringify(plan.recipe)).toContain('"int4"');
    const target = path.join(folder, 'litert.tflite');
    const { status, stdout } = await run(
      'export',
      model,
      '--recipe',
      out,
      '--out',
      target,
      '--json',
    );
    expect(status).toBe(0);
    const planned = (await run('analyze', model, '--recipe', out, '--json')).stdout;
    const { tensors } = JSON.parse(planned) as { tensors: { quantized: boolean }[] };
    const { quantized } = JSON.parse(stdout) as { quantized: number };
    expect(quantized).toBe(tensors.filter((tensor) => tensor.quantized).length);
  });

  test('lists its layers, each with its scheme, its own SQNR and its bytes', async () => {
    const args = ['plan', sample, '--recipe', 'int8', '--max-bytes', '240kB'];
    const plan = JSON.parse((await run(...args, '--json')).stdout) as Planned & {
      readonly layers: readonly { name: string; scheme: object | null; bytesAfter: number }[];
    };
    expect(plan.layers).toHaveLength(27);
    const { stdout } = await run(...args);
    const lines = stdout.split('\n').map((line) => line.trim().split(/ {2,}/));
    for (const { name, bytesAfter } of plan.layers)
      expect(lines.find(([first]) => first === name)!.at(-1)).toBe(String(bytesAfter));
    expect(lines.filter(([, scheme]) => scheme === 'float')).toHaveLength(
      plan.layers.filter(({ scheme }) => scheme === null).length,
    );
    expect(stdout).toMatch(/^meets the goal: file /m);
  });

  test('for more dB than any scheme keeps says that it quantizes nothing', async () => {
    const { status, stdout } = await run('plan', sample, '--recipe', 'int8', '--min-sqnr', '200');
    expect(status).toBe(0);
    expect(stdout).toMatch(/^quantizes nothing, as no scheme keeps 200 dB: file /m);
  });

  test('that cannot meet its goal says so, writes no recipe and ends with status 1', async () => {
    const out = path.join(folder, 'unmet.json');
    const args = ['plan', sample, '--recipe', 'int8', '--max-bytes', '1', '--out', out];
    const { status, stdout } = await run(...args, '--json');
    expect(status).toBe(1);
    const plan = JSON.parse(stdout) as Planned;
    expect(plan.meets).toBe(false);
    expect(plan.total.bytesAfter).toBeLessThan(int8.bytesAfter);
    const text = await run(...args);
    expect([text.status, text.stdout]).toEqual([
      1,
      expect.stringMatching(/^no plan meets the goal; the nearest: file /m),
    ]);
    expect(text.stderr).toBe(`quantscope: ${out} is not written, as no plan meets the goal\n`);
    expect(fs.existsSync(out)).toBe(false);
  });

  test.each([[[]], [['--max-bytes', '1', '--min-sqnr', '2']], [['--min-sqnr', 'loud']]])(
    'is wrong usage with the goal %j',
    async (goal) => {
      const { status, stderr } = await run('plan', sample, '--recipe', 'int8', ...goal);
      expect(status).toBe(2);
      expect(stderr).toMatch(/--min-sqnr/);
    },
  );
});

describe('plan --mode static', () => {
  const ranges = path.join(folder, 'ranges.json');
  const wanted = ['--recipe', 'static-int8', '--mode', 'static'];

  let base: Exported;

  beforeAll(async () => {
    expect((await run('calibrate', sample, '--samples', '2', '--out', ranges)).status).toBe(0);
    base = await exported('static-int8');
  });

  async function exported(name: string): Promise<Exported> {
    const target = path.join(folder, 'static.onnx');
    const options = ['--mode', 'static', '--ranges', ranges, '--out', target, '--json'];
    const { stdout } = await run('export', sample, '--recipe', name, ...options);
    return JSON.parse(stdout) as Exported;
  }

  /** A plan for a goal, and the export of its recipe. */
  async function planned(...goal: string[]) {
    const out = path.join(folder, 'static.json');
    const plan = await totalOf(
      ...['plan', sample, ...wanted, '--ranges', ranges, ...goal, '--out', out],
    );
    return { plan, made: await exported(out) };
  }

  test('counts the bytes and tensors of the static export, whose operators stay on integers', async () => {
    const { plan, made } = await planned('--max-bytes', '250kB');
    expect(plan.meets).toBe(true);
    expect(plan.fileBytes).toEqual({ before: fs.statSync(sample).size, after: made.bytesAfter });
    expect(made.bytesAfter).toBeGreaterThan(245_000);
    expect([plan.total.quantized, plan.total.kept]).toEqual([made.quantized, made.kept]);
    // Layers below the recipe's least size compute on integers as well.
    expect([made.integerOperators, made.quantized]).toEqual([54, 108]);
    expect(base.integerOperators).toBe(54);
    const { rules, ...recipe } = parseRecipe(plan.recipe);
    const { rules: none, ...preset } = findPreset('static-int8')!;
    expect(recipe).toEqual({ ...preset, name: 'budget' });
    expect([none.length, rules.length > 0]).toEqual([0, true]);
  });

  test('says which candidates no layer takes', async () => {
    const goal = ['--max-bytes', '400kB', '--candidates', 'int8,int16,int4-block32'];
    const { status, stderr } = await run('plan', sample, ...wanted, '--ranges', ranges, ...goal);
    expect([status, stderr]).toEqual([
      0,
      'quantscope: warning: no layer of this model takes int16, int4-block32 in mode static: plans have the scheme of the recipe, the other candidates, or float\n',
    ]);
  });

  test('at a limit that the recipe meets is the recipe', async () => {
    const { plan, made } = await planned('--max-bytes', '400kB');
    expect(plan.recipe).toEqual(findPreset('static-int8'));
    expect(made.bytesAfter).toBe(base.bytesAfter);
  });

  test('keeps layers in float for a floor of dB, each with its bias', async () => {
    const { plan, made } = await planned('--min-sqnr', '47');
    expect(plan.meets).toBe(true);
    expect(made.bytesAfter).toBe(plan.fileBytes.after);
    expect(made.integerOperators).toBeLessThan(54);
    expect(made.quantized).toBe(2 * made.integerOperators);
  });

  test('by outputs counts what quantized activations lose, too', async () => {
    const few = ['--by', 'outputs', '--samples', '1', '--candidates', 'none', '--min-sqnr', '45'];
    const { plan, made } = await planned(...few);
    expect([plan.total.quantized, plan.total.kept]).toEqual([made.quantized, made.kept]);
    const { outputSqnrDb } = plan as Planned & { readonly outputSqnrDb: number };
    expect(outputSqnrDb).toBeGreaterThanOrEqual(45);
    // What verify finds, with all that the runtime's integer kernels round.
    const seen = await run(
      'verify',
      sample,
      path.join(folder, 'static.onnx'),
      ...few.slice(2, 4),
      '--json',
    );
    const { outputs } = JSON.parse(seen.stdout) as { outputs: { sqnrDb: number }[] };
    expect(outputs[0]!.sqnrDb).toBeCloseTo(outputSqnrDb, 3);
    // Layers that cost too much stay in float, and a file of them is larger.
    expect(plan.fileBytes.after).toBeLessThan(plan.fileBytes.before);
  });

  test('wants ranges, which other modes do not take', async () => {
    const limit = ['--max-bytes', '240kB'];
    const without = await run('plan', sample, ...wanted, ...limit);
    expect(without.stderr).toContain('--calibrate DIR');
    const other = await run('plan', sample, '--recipe', 'int8', '--ranges', ranges, ...limit);
    expect([other.status, other.stderr]).toEqual([
      2,
      'quantscope: --ranges is for --mode static, found qdq; see quantscope plan --help\n',
    ]);
  });
});
