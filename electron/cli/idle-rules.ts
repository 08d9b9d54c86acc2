import type { ExportMode } from '../../shared/exports.ts';
import { isQuantizable } from '../../shared/model.ts';
import { findPreset } from '../../shared/presets.ts';
import type { Recipe } from '../../shared/recipe.ts';
import { isIdle, matchSentence } from '../../shared/rules.ts';
import { countMatches } from '../engine/rule-counts.ts';
import type { Budgeted } from '../engine/prepared-view.ts';
import { printError } from './output.ts';

/** Rules that are named; of the others the number is told. */
const NAMED = 3;

/**
 * Warn on stderr of rules that match no weight of the model. Presets are for every model, so that theirs may.
 * @param nameOrFile what the recipe was read from
 * @param model what is exported: a prepared copy has tensors of its own
 */
export function warnOfIdleRules(
  nameOrFile: string,
  recipe: Recipe,
  model: Pick<Budgeted, 'tensors'>,
): void {
  if (findPreset(nameOrFile) !== undefined || recipe.rules.length === 0) return;
  const counts = countMatches(
    recipe.rules.map(({ match }) => match),
    model.tensors.filter(isQuantizable),
  );
  const idle = recipe.rules.filter((rule, at) => isIdle(rule, counts[at]!));
  if (idle.length === 0) return;
  const named = idle.slice(0, NAMED).map(({ match }) => matchSentence(match));
  if (idle.length > NAMED) named.push(`and ${idle.length - NAMED} more`);
  const what = idle.length === 1 ? '1 rule matches' : `${idle.length} rules match`;
  printError(`quantscope: warning: ${what} nothing in this model: ${named.join('; ')}`);
}

/** Warn on stderr of a wish for equalized weights in a mode that leaves them as they are. */
export function warnOfIdleEqualization({ equalize }: Recipe, mode: ExportMode): void {
  if (equalize === true && mode !== 'static')
    printError(
      `quantscope: warning: weights are equalized in mode static only, and stay as they are in mode ${mode}`,
    );
}
