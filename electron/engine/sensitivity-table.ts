import { AppError } from '../../shared/errors.ts';
import type { ExportMode } from '../../shared/exports.ts';
import { patternsOf } from '../../shared/patterns.ts';
import type { Recipe } from '../../shared/recipe.ts';
import type { LeftInFloat, SensitivityTable } from '../../shared/sensitivity.ts';
import { measureBudget } from './budget.ts';
import { CopiesNoise } from './copies-noise.ts';
import type { RunOptions } from './run-options.ts';
import type { Runtime } from './runtime/host.ts';
import {
  MOST_MEASURED,
  namedNoises,
  recipeOf,
  worstOf,
  type Asked,
  type SensitivityRequest,
} from './sensitivity.ts';
import type { Session } from './session.ts';
import type { Budgeted } from './prepared-view.ts';

export interface TableRequest extends SensitivityRequest {
  readonly recipe: Recipe;
  /** What stays in float while a layer is measured. */
  readonly inFloat: LeftInFloat;
}

/**
 * What the outputs of a model lose under a recipe by each layer: when it alone is quantized, and when all but it are.
 * A copy of the model is exported and run for each. Of too many layers, those are measured whose own outputs lose most.
 * @throws AppError UNSUPPORTED in mode static for layers that alone are quantized, as activations between layers belong
 *   to none; RUNTIME with the runtime's own words
 */
export async function sensitivityTable(
  session: Session,
  runtime: Runtime,
  { recipe, inFloat, most = MOST_MEASURED, exporter = session, ...how }: TableRequest,
  options: RunOptions,
): Promise<SensitivityTable> {
  const { mode } = how;
  if (mode === 'static' && inFloat !== 'it')
    throw new AppError('UNSUPPORTED', 'mode static has no layers that alone are quantized', {
      ...{ file: session.opened.files[0]!.path, field: 'inFloat', found: inFloat },
      expected: 'it: all layers but one are quantized',
    });
  const asked = await quantizedNames(exporter, recipe, mode, options);
  const copies = new CopiesNoise(session, runtime, { ...how, exporter }, options);
  const estimates =
    asked.length > most
      ? namedNoises(asked, await copies.estimates(recipe))
      : new Map<string, number>();
  const chosen = worstOf(asked, estimates, most);
  const only = inFloat === 'it' ? [] : chosen.map((each) => recipeOf([each], recipe));
  const without = inFloat === 'others' ? [] : chosen.map((each) => withoutName(recipe, each.name));
  const [all, ...noises] = (await copies.noises([recipe, ...only, ...without])).map(decibels);
  const places = new Map(chosen.map(({ name }, at) => [name, at]));
  const layers = asked.map(({ name, tensors, scheme }) => {
    const at = places.get(name) ?? NaN;
    // A copy that quantizes nothing says nothing of its layer.
    const isOnly = only.length > 0 && !copies.unchanged.has(only[at]!);
    const onlySqnrDb = (isOnly ? noises[at] : null) ?? null;
    const withoutSqnrDb = (without.length === 0 ? null : noises[only.length + at]) ?? null;
    return { name, tensors, scheme, onlySqnrDb, withoutSqnrDb };
  });
  return { allSqnrDb: all!, unmeasured: asked.length - chosen.length, layers };
}

/** The names of weights that a recipe quantizes, each with its scheme. */
async function quantizedNames(
  model: Budgeted,
  base: Recipe,
  mode: ExportMode,
  options: RunOptions,
): Promise<readonly Asked[]> {
  const { names } = await measureBudget(model, { base, mode, candidates: [] }, options);
  return names.flatMap(({ name, tensors, base: scheme }) =>
    scheme === null ? [] : [{ name, tensors, scheme }],
  );
}

function withoutName(recipe: Recipe, name: string): Recipe {
  const rules = patternsOf([name]).map((pattern) => ({ match: { name: pattern }, scheme: null }));
  return { ...recipe, rules: [...recipe.rules, ...rules] };
}

function decibels(noise: number): number {
  return -10 * Math.log10(noise);
}
