import * as fs from 'node:fs';
import { printable } from '../../shared/errors.ts';
import type { Goal } from '../../shared/budget-plan.ts';
import type { Recipe } from '../../shared/recipe.ts';
import { planBudget } from '../engine/budget.ts';
import { AtomicFile } from '../engine/export/atomic-file.ts';
import { decibels, megabytes, toJson } from './output.ts';
import { loadRecipe, readArguments, required, UsageError, wholeNumber } from './usage.ts';
import { withSession } from './with-session.ts';

/** quantscope plan MODEL --recipe R (--max-bytes N | --min-sqnr DB) [--out RECIPE.json] [--json] */
export async function plan(args: string[]): Promise<void> {
  const { model, values } = readArguments(args, {
    recipe: { type: 'string' },
    'max-bytes': { type: 'string' },
    'min-sqnr': { type: 'string' },
    out: { type: 'string' },
    json: { type: 'boolean' },
  });
  const base = loadRecipe(required(values, 'recipe'));
  const goal = goalOf(values);
  const out = values['out'] === undefined ? null : required(values, 'out');
  await withSession(model, async ({ session, signal, onProgress }) => {
    const { recipe, total, meets } = await planBudget(session, base, goal, { signal, onProgress });
    if (out !== null) writeRecipe(out, recipe, session.opened.files);
    if (values['json'] === true) {
      console.log(toJson({ recipe, total, meets }));
      return;
    }
    console.log(
      `${meets ? 'meets' : 'does not meet'} the budget: ${megabytes(total.bytesBefore)} -> ${megabytes(total.bytesAfter)}, ` +
        `SQNR ${decibels(total.sqnrDb)} dB, ${total.quantized} quantized, ${total.kept} kept, ` +
        `${recipe.rules.length} rules`,
    );
  });
}

function goalOf(values: Parameters<typeof required>[0]): Goal {
  const [bytes, sqnr] = [values['max-bytes'], values['min-sqnr']];
  if ((bytes === undefined) === (sqnr === undefined))
    throw new UsageError('either --max-bytes or --min-sqnr');
  if (bytes !== undefined)
    return { maxBytes: wholeNumber(values, 'max-bytes', 0, 0, Number.MAX_SAFE_INTEGER) };
  const text = required(values, 'min-sqnr');
  const minSqnrDb = Number(text);
  if (!/^-?[\d.]+$/.test(text) || !(Math.abs(minSqnrDb) <= 1000))
    throw new UsageError(`--min-sqnr is a number of dB up to 1000, not ${printable(text)}`);
  return { minSqnrDb };
}

function writeRecipe(
  target: string,
  recipe: Recipe,
  sources: ConstructorParameters<typeof AtomicFile>[1],
): void {
  const file = new AtomicFile(target, sources);
  try {
    fs.writeFileSync(file.fd, `${toJson(recipe)}\n`);
    file.commit();
  } catch (error) {
    file.discard();
    throw error;
  }
}
