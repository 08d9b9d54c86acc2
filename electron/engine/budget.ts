import { leastWithin, type Cost } from '../../shared/budget.ts';
import { isQuantizable } from '../../shared/model.ts';
import { patternsOf } from '../../shared/patterns.ts';
import { planModel } from '../../shared/plan.ts';
import { BASE_SCHEME, describeScheme, type Recipe, type Scheme } from '../../shared/recipe.ts';
import { totalOf, type TensorReport, type Total } from '../../shared/report.ts';
import type { RunOptions, Session } from './session.ts';

/** A floor of exactly what a recipe has is met by that recipe: sums of floats are good to this. */
const ROUNDING_DB = 1e-9;

/** At most so many bytes of tensors, or at least so many dB pooled over the quantized ones. */
export type Goal = { readonly maxBytes: number } | { readonly minSqnrDb: number };

export interface BudgetPlan {
  /** Rules by exact name; what no rule names stays as it is. */
  readonly recipe: Recipe;
  readonly total: Total;
  /** False when nothing reaches the goal: then the recipe is the one that comes nearest. */
  readonly meets: boolean;
}

/** Longer names do not fit the pattern of a rule when each character is escaped. */
const MAX_NAME = 2000;

/** What each tensor may become, beside what the recipe makes of it and staying as it is. */
export const CANDIDATES: readonly Scheme[] = [
  { ...BASE_SCHEME, dtype: 'int4', granularity: { block: 32 } },
  { ...BASE_SCHEME, dtype: 'int8' },
  { ...BASE_SCHEME, dtype: 'int16' },
  { ...BASE_SCHEME, dtype: 'float16' },
];

/** One way to store all tensors of a name, as a rule on the name would. */
interface Option {
  readonly scheme: Scheme | null;
  readonly reports: readonly TensorReport[];
}

/**
 * The mix of schemes that reaches a goal: the least noise in so many bytes, or the fewest bytes for
 * so many dB. Every candidate is measured on every tensor. What the recipe keeps on purpose (by a
 * rule, by its minimum size, or for want of a default) stays. @throws AppError as Session.analyze does
 */
export async function planBudget(
  session: Session,
  base: Recipe,
  goal: Goal,
  options: RunOptions,
): Promise<BudgetPlan> {
  const { kept, measured } = await measure(session, base, options);
  const groups = freeNames(session, base);
  const choices = groups.map(({ tensors }) => optionsOf(tensors, kept, measured));
  const free = new Set(groups.flatMap(({ tensors }) => tensors));
  const fixed = kept.filter((report) => !free.has(report.tensor));
  const chosen = choose(choices, fixed, goal);
  const picked = choices.map((item, index) => item[chosen[index]!]!);
  const reports = [...fixed, ...picked.flatMap((option) => option.reports)];
  const total = totalOf(reports, (tensor) => session.tensors[tensor]!.elements);
  const schemes = groups.map(({ name }, index) => ({ name, scheme: picked[index]!.scheme }));
  return { recipe: recipeOf(base, schemes), total, meets: reaches(total, goal) };
}

type Reports = readonly TensorReport[];

/** Every tensor as it is, under the recipe, and under each candidate. */
async function measure(
  session: Session,
  base: Recipe,
  options: RunOptions,
): Promise<{ kept: Reports; measured: readonly Reports[] }> {
  const run = async (recipe: Recipe, what: string): Promise<Reports> => {
    const { reports } = await session.analyze(recipe, {
      signal: options.signal,
      onProgress: (progress) => options.onProgress?.({ ...progress, what }),
    });
    return reports;
  };
  const only = (scheme: Scheme | null): Recipe => ({
    ...base,
    default: scheme,
    minElements: 0,
    rules: [],
  });
  const kept = await run(only(null), 'Reading');
  const measured = [await run(base, 'Measuring the recipe')];
  for (const scheme of CANDIDATES)
    measured.push(await run(only(scheme), `Measuring ${describeScheme(scheme)}`));
  return { kept, measured };
}

interface NamedTensors {
  readonly name: string;
  readonly tensors: readonly number[];
}

/** The names whose tensors may all change, and which a rule can tell. */
function freeNames(session: Session, base: Recipe): readonly NamedTensors[] {
  const groups = new Map<string, number[]>();
  const staying = new Set<string>();
  for (const { tensor, scheme, byRule } of planModel(session.tensors, base)) {
    const ref = session.tensors[tensor]!;
    if (!isQuantizable(ref)) continue;
    const onPurpose = byRule || base.default === null || ref.elements < base.minElements;
    if ((scheme === null && onPurpose) || ref.name.length > MAX_NAME) staying.add(ref.name);
    groups.set(ref.name, [...(groups.get(ref.name) ?? []), tensor]);
  }
  return [...groups]
    .filter(([name]) => !staying.has(name))
    .map(([name, tensors]) => ({ name, tensors }));
}

/** The ways to store tensors of one name: as they are, and under each scheme that suits them. */
function optionsOf(
  tensors: readonly number[],
  kept: Reports,
  measured: readonly Reports[],
): readonly Option[] {
  const options: Option[] = [{ scheme: null, reports: tensors.map((tensor) => kept[tensor]!) }];
  for (const all of measured) {
    const reports = tensors.map((tensor) => all[tensor]!);
    const schemes = new Set(reports.map(({ scheme }) => JSON.stringify(scheme)));
    const { scheme } = reports[0]!;
    const isFinite = reports.every(({ noise }) => Number.isFinite(noise));
    if (scheme !== null && schemes.size === 1 && isFinite) options.push({ scheme, reports });
  }
  return options;
}

/**
 * The option of each name. The SQNR pools over quantized tensors, so that a floor of N dB is
 * sum(noise - signal / 10^(N / 10)) <= 0 over them: a sum, as the bytes are.
 */
function choose(
  choices: readonly (readonly Option[])[],
  fixed: Reports,
  goal: Goal,
): readonly number[] {
  if ('maxBytes' in goal) {
    const costs = costsOf(choices, ({ bytesAfter, noise }) => [bytesAfter, noise]);
    const rest = fixed.reduce((sum, { bytesAfter }) => sum + bytesAfter, 0);
    return leastWithin(costs, goal.maxBytes - rest) ?? costs.map(mostFrugal);
  }
  const share = 10 ** (-(goal.minSqnrDb - ROUNDING_DB) / 10);
  const costs = costsOf(choices, ({ bytesAfter, noise, signal }) => [
    noise - share * signal,
    bytesAfter,
  ]);
  return leastWithin(costs, 0) ?? costs.map(mostFrugal);
}

function costsOf(
  choices: readonly (readonly Option[])[],
  cost: (report: TensorReport) => readonly [limited: number, least: number],
): readonly (readonly Cost[])[] {
  return choices.map((item) =>
    item.map(({ reports }) => {
      const costs = reports.map(cost);
      return {
        limited: costs.reduce((sum, [limited]) => sum + limited, 0),
        least: costs.reduce((sum, [, least]) => sum + least, 0),
      };
    }),
  );
}

function mostFrugal(options: readonly Cost[]): number {
  return options.reduce(
    (best, { limited }, index) => (limited < options[best]!.limited ? index : best),
    0,
  );
}

function recipeOf(
  base: Recipe,
  schemes: readonly { readonly name: string; readonly scheme: Scheme | null }[],
): Recipe {
  const byScheme = new Map<string, { scheme: Scheme; names: string[] }>();
  for (const { name, scheme } of schemes) {
    if (scheme === null) continue;
    const key = JSON.stringify(scheme);
    const group = byScheme.get(key) ?? { scheme, names: [] };
    group.names.push(name);
    byScheme.set(key, group);
  }
  const rules = [...byScheme.values()].flatMap(({ scheme, names }) =>
    patternsOf(names).map((name) => ({ match: { name }, scheme })),
  );
  return { version: 1, name: 'budget', default: null, minElements: base.minElements, rules };
}

function reaches(total: Total, goal: Goal): boolean {
  if ('maxBytes' in goal) return total.bytesAfter <= goal.maxBytes;
  // Sums in another order may differ in their last bits.
  return total.sqnrDb === null || total.sqnrDb >= goal.minSqnrDb - ROUNDING_DB;
}
