import {
  byOutputs,
  lossBetween,
  type Budget,
  type BudgetName,
  type LossPoint,
} from '../../shared/budget-plan.ts';
import { largest } from '../../shared/lists.ts';
import { patternsOf } from '../../shared/patterns.ts';
import { activationRules, type Recipe } from '../../shared/recipe.ts';
import { fieldsOf, type Scheme } from '../../shared/scheme.ts';
import type { RunOptions } from './run-options.ts';
import { CopiesNoise, type Copying } from './copies-noise.ts';
import type { Runtime } from './runtime/host.ts';
import { runHintsOf } from './runtime/run-hints.ts';
import type { Session } from './session.ts';
import type { Budgeted } from './prepared-view.ts';

/** What the outputs lose under a scheme: noise power over signal power. */
export interface Measured {
  readonly scheme: Scheme;
  readonly noise: number;
}

/** What the outputs lose when one name alone is quantized. */
export interface Sensitivity {
  readonly name: string;
  /** The scheme that it was measured under: the coarsest of its options. */
  readonly scheme: Scheme;
  /** Noise power over signal power, the mean over the outputs. */
  readonly noise: number;
  /** The same under the finest of its options of which that is more than rounding; null where it was not measured. */
  readonly finer: Measured | null;
  /** False for a first-order estimate: the local error, as far as the measured layers pass theirs on. */
  readonly isMeasured: boolean;
}

/** Layers that are measured one by one; where there are more, those of the largest estimates. */
export const MOST_MEASURED = 64;

/** A layer that loses less than this part of the worst one's loss takes the coarsest option, whatever a finer one loses. */
const NEGLIGIBLE = 1e-3;

/** Noise over signal of weights below which what the outputs lose may be the rounding of float32 sums: 60 dB. */
const LEAST_NOISE = 1e-6;

export interface SensitivityRequest extends Copying {
  /** What writes the copies: the session where it is missing, and in mode static its calibrated copy. */
  readonly exporter?: Budgeted;
  /** Layers that are measured; MOST_MEASURED where it is missing. */
  readonly most?: number;
}

/**
 * What the outputs of a model lose when each layer alone is quantized, on samples: a copy of the model is exported and
 * run for each layer, under its coarsest option and, where that loses much, under a fine one. Where there are too many
 * layers, the error of each one's own output is carried on as an estimate first, and the worst are measured.
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
  const known = await noisesOf(copies, worstOf(asked, estimates, most), budget.base);
  const least = NEGLIGIBLE * largest(known.values());
  const fine = budget.names.flatMap((each) =>
    (known.get(each.name) ?? -Infinity) > least ? (finest(each) ?? []) : [],
  );
  const finer = await noisesOf(copies, fine, budget.base);
  const schemes = new Map(fine.map(({ name, scheme }) => [name, scheme]));
  const estimated = estimatesBy(known, [estimates, relativeNoises(budget, asked)]);
  return asked.map(({ name, scheme }) => {
    const [noise, other] = [known.get(name), finer.get(name)];
    return {
      ...{ name, scheme, noise: noise ?? estimated(name), isMeasured: noise !== undefined },
      finer: other === undefined ? null : { scheme: schemes.get(name)!, noise: other },
    };
  });
}

/** What the outputs lose by each name alone; a name whose copy quantizes nothing is left out, as that says nothing of it. */
async function noisesOf(
  copies: CopiesNoise,
  asked: readonly Asked[],
  base: Recipe,
): Promise<ReadonlyMap<string, number>> {
  const recipes = asked.map((each) => recipeOf([each], base));
  const measured = await copies.noises(recipes);
  return new Map(
    asked.flatMap(({ name }, at) =>
      copies.unchanged.has(recipes[at]!) ? [] : [[name, measured[at]!]],
    ),
  );
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
  const losses = new Map(
    found.map(({ name, scheme, noise, finer }) => {
      const { options } = budget.names.find((each) => each.name === name)!;
      const point = (each: Measured): LossPoint => {
        const key = JSON.stringify(each.scheme);
        const own = options.find((option) => JSON.stringify(option.scheme) === key)!.sums.noise;
        return { own, noise: each.noise };
      };
      return [name, lossBetween(point({ scheme, noise }), finer === null ? null : point(finer))];
    }),
  );
  return byOutputs(budget, losses);
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

/** The option of least noise among those whose noise is more than rounding; null where the coarsest is the only one. */
function finest(each: BudgetName): Asked | null {
  const { name, tensors, options } = each;
  const some = options.filter(
    ({ scheme, sums: { signal, noise } }) => scheme !== null && noise > LEAST_NOISE * signal,
  );
  if (some.length === 0) return null;
  const least = some.reduce((best, option) =>
    option.sums.noise < best.sums.noise ? option : best,
  );
  const scheme = least.scheme!;
  return scheme === coarsest(each)?.scheme ? null : { name, scheme, tensors };
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
