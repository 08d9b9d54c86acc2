import {
  byOutputs,
  type Budget,
  type BudgetName,
  type FilePlan,
  type Goal,
} from '../../shared/budget-plan.ts';
import { patternsOf } from '../../shared/patterns.ts';
import { activationRules, type Recipe } from '../../shared/recipe.ts';
import { fieldsOf, type Scheme } from '../../shared/scheme.ts';
import { planFile } from './budget.ts';
import type { RunOptions } from './run-options.ts';
import { CopiesNoise, runNoise, type Copying } from './copies-noise.ts';
import type { Runtime } from './runtime/host.ts';
import { runHintsOf } from './runtime/run-hints.ts';
import { withExport } from './runtime/run-models.ts';
import type { Session } from './session.ts';
import type { Budgeted } from './static-model.ts';

/** What the outputs lose when one name alone is quantized. */
export interface Sensitivity {
  readonly name: string;
  /** The scheme that it was measured under: the coarsest of its options. */
  readonly scheme: Scheme;
  /** Noise power over signal power, the mean over the outputs. */
  readonly noise: number;
  /** False for a first-order estimate: the local error, as far as the measured layers pass theirs on. */
  readonly isMeasured: boolean;
}

/** Layers that are measured one by one; where there are more, those of the largest estimates. */
export const MOST_MEASURED = 64;

export interface SensitivityRequest extends Copying {
  /** What writes the copies: the session where it is missing, and in mode static its calibrated copy. */
  readonly exporter?: Budgeted;
  /** Layers that are measured; MOST_MEASURED where it is missing. */
  readonly most?: number;
}

/**
 * What the outputs of a model lose when each layer alone is quantized, on samples: a copy of the model is exported and
 * run for each layer. Where there are too many, the error of each layer's own output is carried on as an estimate
 * first, and the worst are measured.
 * @throws AppError UNSUPPORTED for a format that no runtime runs, RUNTIME with the runtime's own words.
 */
export async function measureSensitivity(
  session: Session,
  runtime: Runtime,
  budget: Budget,
  { most = MOST_MEASURED, ...request }: SensitivityRequest,
  options: RunOptions,
): Promise<readonly Sensitivity[]> {
  runHintsOf(session.opened);
  const asked = budget.names.flatMap((each) => coarsest(each) ?? []);
  const copies = new CopiesNoise(session, runtime, request, options);
  const estimates =
    asked.length > most
      ? namedNoises(asked, await copies.estimates(recipeOf(asked, budget.base)))
      : new Map<string, number>();
  const chosen = worstOf(asked, estimates, most);
  const recipes = chosen.map((each) => recipeOf([each], budget.base));
  const measured = await copies.noises(recipes);
  // A copy that quantizes nothing says nothing of its layer.
  const known = new Map(
    chosen.flatMap(({ name }, at) =>
      copies.unchanged.has(recipes[at]!) ? [] : [[name, measured[at]!]],
    ),
  );
  const estimated = estimatesBy(known, [estimates, relativeNoises(budget, asked)]);
  return asked.map(({ name, scheme }) => {
    const noise = known.get(name);
    return { name, scheme, noise: noise ?? estimated(name), isMeasured: noise !== undefined };
  });
}

/** What a name without a measured noise has, by the first that tells of it, as far as measured ones pass that on. */
function estimatesBy(
  known: ReadonlyMap<string, number>,
  sources: readonly ReadonlyMap<string, number>[],
): (name: string) => number {
  const passedOn = sources.map((source) =>
    median(
      [...known].flatMap(([name, noise]) => {
        const estimate = source.get(name) ?? 0;
        return estimate > 0 ? noise / estimate : [];
      }),
    ),
  );
  return (name) => {
    const at = sources.findIndex((source) => source.has(name));
    return at < 0 ? 0 : sources[at]!.get(name)! * passedOn[at]!;
  };
}

/** Noise over signal of the weights of each name under its scheme. */
function relativeNoises(budget: Budget, asked: readonly Asked[]): ReadonlyMap<string, number> {
  const options = new Map(budget.names.map(({ name, options: own }) => [name, own]));
  return new Map(
    asked.flatMap(({ name, scheme }) => {
      const key = JSON.stringify(scheme);
      const own = options.get(name)!.find((option) => JSON.stringify(option.scheme) === key)!;
      return own.sums.signal > 0 ? [[name, own.sums.noise / own.sums.signal]] : [];
    }),
  );
}

/** The budget in which noise is what the outputs lose: that of a weight, as far as its layer passes it on. */
export function budgetByOutputs(budget: Budget, found: readonly Sensitivity[]): Budget {
  const gains = new Map(
    found.map(({ name, scheme, noise }) => {
      const { options } = budget.names.find((each) => each.name === name)!;
      const key = JSON.stringify(scheme);
      const own = options.find((option) => JSON.stringify(option.scheme) === key)!.sums.noise;
      return [name, own > 0 ? noise / own : 0];
    }),
  );
  return byOutputs(budget, gains);
}

/** What the outputs of an export under a recipe lose, as SQNR in dB; null where they cannot be compared. */
export async function outputSqnr(
  session: Session,
  runtime: Runtime,
  recipe: Recipe,
  { mode, inputs, exporter = session }: SensitivityRequest,
  options: RunOptions,
): Promise<number | null> {
  const [found] = await withExport(session, { recipe, mode, exporter }, options, (exported) =>
    runNoise(session, runtime, [exported], inputs, options),
  );
  return found === null || found === undefined ? null : -10 * Math.log10(found.noise);
}

/** A plan by outputs, with the SQNR of its outputs as measured. */
export interface OutputPlan extends FilePlan {
  readonly outputSqnrDb: number | null;
}

/** How often a goal of dB is moved by as much as what was measured misses it. */
const MAX_ROUNDS = 4;

/**
 * The mix of schemes that reaches a goal with the least loss of the model's outputs, which is measured: a floor of dB
 * is met by the export as it runs on the samples, not by the estimate that chooses.
 */
export async function planByOutputs(
  session: Session,
  runtime: Runtime,
  {
    budget: weights,
    goal,
    ...request
  }: SensitivityRequest & { readonly budget: Budget; readonly goal: Goal },
  options: RunOptions,
): Promise<OutputPlan> {
  const found = await measureSensitivity(session, runtime, weights, request, options);
  const budget = budgetByOutputs(weights, found);
  const solved = async (wanted: Goal): Promise<OutputPlan> => {
    const plan = await planFile(request.exporter ?? session, budget, wanted, request.mode, options);
    const outputSqnrDb = await outputSqnr(session, runtime, plan.recipe, request, options);
    return { ...plan, outputSqnrDb };
  };
  let plan = await solved(goal);
  if ('maxBytes' in goal) return plan;
  let floor = goal.minSqnrDb;
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const missing = goal.minSqnrDb - (plan.outputSqnrDb ?? Infinity);
    if (missing <= 0 || !plan.meets) break;
    floor += missing;
    plan = await solved({ minSqnrDb: floor });
  }
  return { ...plan, meets: (plan.outputSqnrDb ?? Infinity) >= goal.minSqnrDb };
}

/** A name whose tensors are quantized under a scheme. */
export interface Asked {
  readonly name: string;
  readonly scheme: Scheme;
  readonly tensors: readonly number[];
}

/** The noise of names of that of their tensors; names of which nothing is known are left out. */
export function namedNoises(
  asked: readonly Asked[],
  noises: ReadonlyMap<number, number>,
): ReadonlyMap<string, number> {
  return new Map(
    asked.flatMap(({ name, tensors }) => {
      const known = tensors.flatMap((id) => noises.get(id) ?? []);
      return known.length === 0 ? [] : [[name, known.reduce((sum, each) => sum + each, 0)]];
    }),
  );
}

/** Those of the largest estimates. Those without one come first, as nothing else tells of them. */
export function worstOf(
  asked: readonly Asked[],
  estimates: ReadonlyMap<string, number>,
  most: number,
): readonly Asked[] {
  const rank = ({ name }: Asked): number => estimates.get(name) ?? Infinity;
  return [...asked].sort((a, b) => rank(b) - rank(a)).slice(0, most);
}

/** The option of most noise: a small error would drown in that of float32 sums. */
function coarsest({ name, tensors, options }: BudgetName): Asked | null {
  const most = options.reduce((worst, each) => (each.sums.noise > worst.sums.noise ? each : worst));
  return most.scheme === null ? null : { name, scheme: most.scheme, tensors };
}

/** A recipe that quantizes these names and no others, and is the base in all but weights. */
export function recipeOf(asked: readonly Asked[], base: Recipe): Recipe {
  const weights = asked.flatMap(({ name, scheme }) =>
    patternsOf([name]).map((pattern) => ({
      match: { name: pattern },
      scheme: fieldsOf(scheme),
    })),
  );
  const rules = [...activationRules(base), ...weights];
  return { ...base, name: 'sensitivity', default: null, minElements: 0, rules };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? 1;
}
