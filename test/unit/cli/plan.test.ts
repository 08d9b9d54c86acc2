import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseRecipe } from '../../../shared/recipe.ts';
import type { Total } from '../../../shared/report.ts';
import { CLI_SCRIPT } from '../../helpers/engine.ts';
import { LITERT_MODELS } from '../../helpers/litert-models.ts';
import { REAL_MODELS } from '../../helpers/real-models.ts';
import { temporaryFolder } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const sample = REAL_MODELS[2]!.file;

function run(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [CLI_SCRIPT, ...args], { encoding: 'utf8' });
}

function totalOf(...args: string[]): { total: Total; meets: boolean; recipe: unknown } {
  const { status, stdout, stderr } = run(...args, '--json');
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return JSON.parse(stdout) as { total: Total; meets: boolean; recipe: unknown };
}

const int8 = totalOf('analyze', sample, '--recipe', 'int8').total;

describe('plan', () => {
  test('in the bytes of int8 has no more noise, and its recipe gives the totals it says', () => {
    const out = path.join(folder, 'budget.json');
    const limit = String(int8.bytesAfter);
    const plan = totalOf(
      ...['plan', sample, '--recipe', 'int8', '--max-bytes', limit, '--out', out],
    );
    expect(plan.meets).toBe(true);
    expect(plan.total.bytesAfter).toBeLessThanOrEqual(int8.bytesAfter);
    expect(plan.total.sqnrDb).toBeGreaterThanOrEqual(int8.sqnrDb!);
    const written: unknown = JSON.parse(fs.readFileSync(out, 'utf8'));
    expect(written).toEqual(plan.recipe);
    expect(parseRecipe(written)).toEqual(written);
    const { total } = totalOf('analyze', sample, '--recipe', out);
    expect(total.bytesAfter).toBe(plan.total.bytesAfter);
    expect(total.sqnrDb).toBeCloseTo(plan.total.sqnrDb!, 9);
  });

  test('at the dB of int8 takes no more bytes', () => {
    const floor = String(int8.sqnrDb);
    const plan = totalOf('plan', sample, '--recipe', 'int8', '--min-sqnr', floor);
    expect(plan.meets).toBe(true);
    expect(plan.total.sqnrDb).toBeGreaterThanOrEqual(int8.sqnrDb! - 1e-9);
    expect(plan.total.bytesAfter).toBeLessThanOrEqual(int8.bytesAfter);
  });

  test('of a LiteRT model holds what its export stores, in few bits, too', () => {
    const [model, out] = [LITERT_MODELS.faceFull, path.join(folder, 'litert.json')];
    const plan = totalOf(
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
    const { status, stdout } = run('export', model, '--recipe', out, '--out', target, '--json');
    expect(status).toBe(0);
    const planned = run('analyze', model, '--recipe', out, '--json').stdout;
    const { tensors } = JSON.parse(planned) as { tensors: { quantized: boolean }[] };
    const { quantized } = JSON.parse(stdout) as { quantized: number };
    expect(quantized).toBe(tensors.filter((tensor) => tensor.quantized).length);
  });

  test('says that no plan fits in one byte', () => {
    const plan = totalOf('plan', sample, '--recipe', 'int8', '--max-bytes', '1');
    expect(plan.meets).toBe(false);
    expect(plan.total.bytesAfter).toBeLessThan(int8.bytesAfter);
  });

  test.each([[[]], [['--max-bytes', '1', '--min-sqnr', '2']], [['--min-sqnr', 'loud']]])(
    'is wrong usage with the goal %j',
    (goal) => {
      const { status, stderr } = run('plan', sample, '--recipe', 'int8', ...goal);
      expect(status).toBe(2);
      expect(stderr).toMatch(/--min-sqnr/);
    },
  );
});
