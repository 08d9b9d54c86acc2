// A recipe that reaches a goal, from what each tensor costs under each scheme that it may have.
import { frontier, frugalChoice, leastWithin, type Cost } from './budget.ts';
import { AppError } from './errors.ts';
import type { ExportMode } from './exports.ts';
import { patternsOf } from './patterns.ts';
import { activationRules, type Recipe } from './recipe.ts';
import { fieldsOf, schemeOf, type Scheme } from './scheme.ts';
import { sqnrDb, type TensorReport, type Total } from './report.ts';

/** What a sum of floats keeps of its largest part when that is subtracted again. */
const ROUNDING = 1e-13;

/** A floor of exactly what a recipe has is met by that recipe: sums of floats are good to this. */
const ROUNDING_DB = 1e-9;

/** At most so many bytes of tensors, or at least so many dB pooled over the quantized ones. */
export type Goal = { readonly maxBytes: number } | { readonly minSqnrDb: number };

/** What some tensors come to together. */
export interface BudgetSums {
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  readonly quantized: number;
  readonly kept: number;
  /** Of the quantized tensors, as are the signal and the noise. */
  readonly elements: number;
  readonly signal: number;
  readonly noise: number;
}

/** One way to store all tensors of a name, as a rule on the name would. */
export interface BudgetOption {
  readonly scheme: Scheme | null;
  readonly sums: BudgetSums;
}

export interface BudgetName {
  readonly name: string;
  readonly tensors: readonly number[];
  readonly options: readonly BudgetOption[];
  /** What the recipe makes of it. */
  readonly base: Scheme | null;
}

/** A model as a budget sees it. */
export interface Budget {
  readonly base: Recipe;
  /** What may change. */
  readonly names: readonly BudgetName[];
  /** What stays. */
  readonly fixed: BudgetSums;
  /** Candidates that no tensor can have in the mode. */
  readonly unused: readonly Scheme[];
  /** What signal and noise are of; the weights where it is missing. */
  readonly by?: 'outputs';
  /**
   * Mode static: a plan is the recipe with rules for what it changes, since integer operators take weights of any size
   * as the recipe says; and no limit of bytes has operators compute in float that the recipe has on integers.
   */
  readonly isStatic?: true;
}

export interface BudgetPlan {
  /** Rules by exact name; what no rule names stays as it is. */
  readonly recipe: Recipe;
  readonly total: Total;
  /** False when nothing reaches the goal: then the recipe is the one that comes nearest. */
  readonly meets: boolean;
  /** The option of each name. */
  readonly chosen: readonly number[];
}

/** A plan with the size of the file that an export under it has. */
export interface FilePlan extends BudgetPlan {
  /** Of all files of the model, to the byte. */
  readonly fileBytes: { readonly before: number; readonly after: number };
}

/** A scheme that a budget may choose, under the name by which the command line takes it. */
export interface Candidate {
  readonly name: string;
  readonly scheme: Scheme;
}

const block = (dtype: 'int4' | 'uint4' | 'int8', size: number): Candidate => ({
  name: `${dtype}-block${size}`,
  scheme: schemeOf({
    ...{ dtype, symmetric: dtype !== 'uint4', granularity: { block: size } },
    signedScale: dtype === 'int4',
  }),
});

/** What a budget may choose from. */
export const CANDIDATES: readonly Candidate[] = [
  ...[16, 32, 64, 128].map((size) => block('int4', size)),
  ...[32, 128].map((size) => block('uint4', size)),
  { name: 'int4', scheme: schemeOf({ dtype: 'int4' }) },
  // LiteRT's 4 and 8 bits, per channel in the narrow range.
  { name: 'litert-int4', scheme: schemeOf({ dtype: 'int4', narrowRange: true }) },
  { name: 'litert-int8', scheme: schemeOf({ dtype: 'int8', narrowRange: true }) },
  { name: 'int8', scheme: schemeOf({ dtype: 'int8' }) },
  { name: 'int8-tensor', scheme: schemeOf({ dtype: 'int8', granularity: 'tensor' }) },
  block('int8', 128),
  { name: 'int16', scheme: schemeOf({ dtype: 'int16' }) },
  { name: 'float16', scheme: schemeOf({ dtype: 'float16' }) },
  { name: 'bfloat16', scheme: schemeOf({ dtype: 'bfloat16' }) },
];

/** The candidates that are taken where the user chooses none. */
export const DEFAULT_CANDIDATES: readonly string[] = ['int4-block32', 'int8', 'int16', 'float16'];

/** The same for mode static: what integer kernels take. */
export const STATIC_CANDIDATES: readonly string[] = ['int8', 'int8-tensor'];

/** The candidates of a mode: in mode static those that integer kernels take. */
export function candidatesOf(mode: ExportMode): readonly Candidate[] {
  if (mode !== 'static') return CANDIDATES;
  return CANDIDATES.filter(({ scheme }) => scheme.kind === 'affine' && scheme.dtype === 'int8');
}

/** The schemes of candidates by name. @throws AppError BAD_USAGE when a name is not known */
export function candidateSchemes(names: readonly string[]): readonly Scheme[] {
  return names.map((name) => {
    const known = CANDIDATES.find((candidate) => candidate.name === name);
    if (known !== undefined) return known.scheme;
    throw new AppError('BAD_USAGE', 'is not a candidate scheme of a budget', {
      field: 'candidates',
      found: name,
      expected: CANDIDATES.map((candidate) => candidate.name).join(', '),
    });
  });
}

const NOTHING: BudgetSums = {
  bytesBefore: 0,
  bytesAfter: 0,
  quantized: 0,
  kept: 0,
  elements: 0,
  signal: 0,
  noise: 0,
};

/** The sums of reports. `elements` gives each tensor's element count. */
export function sumsOf(
  reports: readonly TensorReport[],
  elements: (tensor: number) => number,
): BudgetSums {
  return added(
    reports.map(({ tensor, bytesBefore, bytesAfter, quantized, signal, noise }) => ({
      bytesBefore,
      bytesAfter,
      quantized: quantized ? 1 : 0,
      kept: quantized ? 0 : 1,
      elements: quantized ? elements(tensor) : 0,
      signal: quantized ? signal : 0,
      noise: quantized ? noise : 0,
    })),
  );
}

function added(all: readonly BudgetSums[]): BudgetSums {
  return all.reduce(
    (sum, each) => ({
      bytesBefore: sum.bytesBefore + each.bytesBefore,
      bytesAfter: sum.bytesAfter + each.bytesAfter,
      quantized: sum.quantized + each.quantized,
      kept: sum.kept + each.kept,
      elements: sum.elements + each.elements,
      signal: sum.signal + each.signal,
      noise: sum.noise + each.noise,
    }),
    NOTHING,
  );
}

/** Noise of a weight, and what the outputs lose by it, relative to their power. */
export interface LossPoint {
  readonly own: number;
  readonly noise: number;
}

/**
 * What the outputs lose by any noise of a weight, from what they lose by one or two. To first order both grow alike;
 * between two points the loss is interpolated by logarithms, as what the coarser one loses may be as much as there is.
 */
export function lossBetween(coarse: LossPoint, fine: LossPoint | null): (own: number) => number {
  const carried = (from: LossPoint, own: number): number =>
    from.own > 0 ? (own * from.noise) / from.own : 0;
  if (fine === null || fine.noise <= 0 || coarse.noise <= 0 || fine.own >= coarse.own)
    return (own) => carried(coarse, own);
  const growth = Math.log(coarse.noise / fine.noise) / Math.log(coarse.own / fine.own);
  return (own) => {
    if (own <= fine.own) return carried(fine, own);
    if (own >= coarse.own) return carried(coarse, own);
    return fine.noise * (own / fine.own) ** growth;
  };
}

/**
 * A budget whose noise is what the model's outputs lose, relative to their power, which is a signal that no choice
 * changes. Noise of layers adds up: to first order that holds.
 * @param losses by name: what the outputs lose by a noise of its weights
 */
export function byOutputs(
  budget: Budget,
  losses: ReadonlyMap<string, (own: number) => number>,
): Budget {
  const names = budget.names.map((each) => {
    const loss = losses.get(each.name) ?? (() => 0);
    const options = each.options.map(({ scheme, sums }) => ({
      scheme,
      sums: { ...sums, signal: 0, noise: loss(sums.noise) },
    }));
    return { ...each, options };
  });
  return { ...budget, names, fixed: { ...budget.fixed, signal: 1, noise: 0 }, by: 'outputs' };
}

/** The mix of schemes that reaches a goal: the least noise in so many bytes, or the fewest bytes for so many dB. */
export function planWithin(budget: Budget, goal: Goal): BudgetPlan {
  const chosen = choose(budget, goal);
  const total = totalOfChoice(budget, chosen);
  return { recipe: recipeOf(budget, chosen), total, meets: reaches(total, goal), chosen };
}

/** The recipe as it is, as a plan: each name has the option that the recipe gives it. */
export function planOfBase(budget: Budget): BudgetPlan {
  const chosen = budget.names.map(({ options, base }) => {
    const key = JSON.stringify(base);
    return Math.max(
      0,
      options.findIndex(({ scheme }) => JSON.stringify(scheme) === key),
    );
  });
  return { recipe: budget.base, total: totalOfChoice(budget, chosen), meets: true, chosen };
}

/** What a choice of options comes to over the whole model. */
export function totalOfChoice({ names, fixed, by }: Budget, chosen: readonly number[]): Total {
  const sums = added([fixed, ...names.map(({ options }, at) => options[chosen[at]!]!.sums)]);
  const { bytesBefore, bytesAfter, quantized, kept, elements, signal, noise } = sums;
  const isMeasured = quantized > 0;
  return {
    bytesBefore,
    bytesAfter,
    quantized,
    kept,
    mse: isMeasured && by === undefined ? noise / elements : null,
    sqnrDb: isMeasured ? sqnrDb(signal, noise) : null,
  };
}

export interface CurvePoint {
  readonly bytes: number;
  readonly sqnrDb: number | null;
}

/**
 * The plans that a growing limit of bytes gives, one after the other, without what is left over
 * spent. Left out are those that are larger than another and no better: as the SQNR pools over
 * quantized tensors, it falls where the good ones among them are kept as they are.
 */
export function curveOf({ names, fixed }: Budget): readonly CurvePoint[] {
  const costs = byteCosts(names);
  const chosen = [...frugalChoice(costs)];
  const start = added([fixed, ...names.map(({ options }, at) => options[chosen[at]!]!.sums)]);
  let { bytesAfter, signal, noise } = start;
  let best = -Infinity;
  return frontier(costs).flatMap(({ step }) => {
    if (step !== null) {
      const { options } = names[step.item]!;
      const [before, after] = [options[chosen[step.item]!]!.sums, options[step.to]!.sums];
      bytesAfter += after.bytesAfter - before.bytesAfter;
      signal += after.signal - before.signal;
      noise += after.noise - before.noise;
      chosen[step.item] = step.to;
    }
    // What is subtracted leaves rounding behind where nothing should be left.
    const db = sqnrDb(Math.max(0, signal), Math.max(0, noise));
    if (db === null || db <= best) return [];
    if (step !== null && noise <= start.noise * ROUNDING) return [];
    best = db;
    return [{ bytes: bytesAfter, sqnrDb: db }];
  });
}

/**
 * The option of each name. The SQNR pools over quantized tensors, so that a floor of N dB is
 * sum(noise - signal / 10^(N / 10)) <= 0 over them: a sum, as the bytes are.
 */
function choose({ names, fixed, isStatic }: Budget, goal: Goal): readonly number[] {
  if ('maxBytes' in goal) {
    // The first option of each name is to stay as it is.
    const skipped = names.map(({ base, options }) =>
      isStatic === true && base !== null && options.length > 1 ? 1 : 0,
    );
    const costs = byteCosts(names).map((options, at) => options.slice(skipped[at]));
    const chosen = leastWithin(costs, goal.maxBytes - fixed.bytesAfter) ?? costs.map(mostFrugal);
    return chosen.map((option, at) => option + skipped[at]!);
  }
  const share = 10 ** (-(goal.minSqnrDb - ROUNDING_DB) / 10);
  const costs = names.map(({ options }) =>
    options.map(({ sums }) => ({
      limited: sums.noise - share * sums.signal,
      least: sums.bytesAfter,
    })),
  );
  const spare = share * fixed.signal - fixed.noise;
  return leastWithin(costs, spare) ?? costs.map(mostFrugal);
}

function byteCosts(names: readonly BudgetName[]): readonly (readonly Cost[])[] {
  return names.map(({ options }) =>
    options.map(({ sums }) => ({ limited: sums.bytesAfter, least: sums.noise })),
  );
}

function mostFrugal(options: readonly Cost[]): number {
  return options.reduce(
    (best, { limited }, index) => (limited < options[best]!.limited ? index : best),
    0,
  );
}

function recipeOf({ base, names, isStatic }: Budget, chosen: readonly number[]): Recipe {
  const byScheme = new Map<string, { scheme: Scheme | null; names: string[] }>();
  for (const [index, { name, options, base: asBase }] of names.entries()) {
    const { scheme } = options[chosen[index]!]!;
    const key = JSON.stringify(scheme);
    if (key === JSON.stringify(isStatic === true ? asBase : null)) continue;
    const group = byScheme.get(key) ?? { scheme, names: [] };
    group.names.push(name);
    byScheme.set(key, group);
  }
  const weights = [...byScheme.values()].flatMap(({ scheme, names: group }) =>
    patternsOf(group).map((name) => ({
      match: { name },
      scheme: scheme === null ? null : fieldsOf(scheme),
    })),
  );
  if (isStatic === true)
    return weights.length === 0
      ? base
      : { ...base, name: 'budget', rules: [...base.rules, ...weights] };
  return { ...base, name: 'budget', default: null, rules: [...activationRules(base), ...weights] };
}

function reaches(total: Total, goal: Goal): boolean {
  if ('maxBytes' in goal) return total.bytesAfter <= goal.maxBytes;
  // Sums in another order may differ in their last bits.
  return total.sqnrDb === null || total.sqnrDb >= goal.minSqnrDb - ROUNDING_DB;
}
