import { printable } from '../../shared/errors.ts';
import { candidateSchemes, type Goal } from '../../shared/budget-plan.ts';
import { defaultCandidates, measureBudget, planFile } from '../engine/budget.ts';
import { checkWritable, writeWhole } from '../files/atomic-file.ts';
import { printJson, toJson } from './json.ts';
import { decibels, megabytes, print } from './output.ts';
import {
  loadRecipe,
  modeOf,
  readArguments,
  recipeFiles,
  required,
  UsageError,
  wholeNumber,
} from './usage.ts';
import { withSession } from './with-session.ts';

/** quantscope plan MODEL --recipe R (--max-bytes N | --min-sqnr DB) [--mode M] [--candidates S,S,...] [--out RECIPE.json] [--json] */
export async function plan(args: string[]): Promise<void> {
  const { model, values } = readArguments(args, {
    recipe: { type: 'string' },
    'max-bytes': { type: 'string' },
    'min-sqnr': { type: 'string' },
    mode: { type: 'string' },
    candidates: { type: 'string' },
    out: { type: 'string' },
    json: { type: 'boolean' },
  });
  const base = loadRecipe(required(values, 'recipe'));
  const goal = goalOf(values);
  const out = values['out'] === undefined ? null : required(values, 'out');
  const asked = modeOf(values);
  const names = values['candidates'] === undefined ? null : required(values, 'candidates');
  await withSession(model, async ({ session, signal, onProgress }) => {
    const inputs = [...session.opened.files, ...recipeFiles(values['recipe'])];
    if (out !== null) checkWritable(out, inputs);
    const mode = asked ?? session.opened.modes[0]!;
    const candidates = candidateSchemes(names?.split(',') ?? defaultCandidates(session));
    const options = { signal, onProgress };
    const budget = await measureBudget(session, { base, mode, candidates }, options);
    const { recipe, total, meets, fileBytes } = await planFile(
      session,
      budget,
      goal,
      mode,
      options,
    );
    if (out !== null) writeWhole(out, `${toJson(recipe)}\n`, inputs);
    if (values['json'] === true) {
      printJson({ recipe, total, meets, fileBytes, mode });
      return;
    }
    print(
      `${meets ? 'meets' : 'does not meet'} the goal: file ${megabytes(fileBytes.before)} -> ${megabytes(fileBytes.after)}, ` +
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
