import {
  planWithin,
  sumsOf,
  type Budget,
  type BudgetOption,
  type BudgetPlan,
  type Goal,
} from '../../shared/budget-plan.ts';
import { isQuantizable } from '../../shared/model.ts';
import { planModel } from '../../shared/plan.ts';
import { BASE_SCHEME, describeScheme, type Recipe, type Scheme } from '../../shared/recipe.ts';
import type { TensorReport } from '../../shared/report.ts';
import type { RunOptions, Session } from './session.ts';

/** Longer names do not fit the pattern of a rule when each character is escaped. */
const MAX_NAME = 2000;

/** What each tensor may become, beside what the recipe makes of it and staying as it is. */
export const CANDIDATES: readonly Scheme[] = [
  { ...BASE_SCHEME, dtype: 'int4', granularity: { block: 32 } },
  { ...BASE_SCHEME, dtype: 'int8' },
  { ...BASE_SCHEME, dtype: 'int16' },
  { ...BASE_SCHEME, dtype: 'float16' },
];

/**
 * The mix of schemes that reaches a goal: the least noise in so many bytes, or the fewest bytes for
 * so many dB. @throws AppError as Session.analyze does
 */
export async function planBudget(
  session: Session,
  base: Recipe,
  goal: Goal,
  options: RunOptions,
): Promise<BudgetPlan> {
  return planWithin(await measureBudget(session, base, options), goal);
}

/**
 * What each tensor costs under each candidate, under the recipe and as it is. What the recipe keeps
 * on purpose (by a rule, by its minimum size, or for want of a default) stays.
 */
export async function measureBudget(
  session: Session,
  base: Recipe,
  options: RunOptions,
): Promise<Budget> {
  const { kept, measured } = await measure(session, base, options);
  const elements = (tensor: number): number => session.tensors[tensor]!.elements;
  const names = freeNames(session, base).map(({ name, tensors }) => ({
    name,
    tensors,
    options: optionsOf(tensors, kept, measured, elements),
  }));
  const free = new Set(names.flatMap(({ tensors }) => tensors));
  const fixed = kept.filter((report) => !free.has(report.tensor));
  return { base, names, fixed: sumsOf(fixed, elements) };
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
  for (const scheme of session.opened.candidates ?? CANDIDATES)
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
  elements: (tensor: number) => number,
): readonly BudgetOption[] {
  const asTheyAre = tensors.map((tensor) => kept[tensor]!);
  const options: BudgetOption[] = [{ scheme: null, sums: sumsOf(asTheyAre, elements) }];
  for (const all of measured) {
    const reports = tensors.map((tensor) => all[tensor]!);
    const schemes = new Set(reports.map(({ scheme }) => JSON.stringify(scheme)));
    const { scheme } = reports[0]!;
    const isFinite = reports.every(({ noise }) => Number.isFinite(noise));
    if (scheme !== null && schemes.size === 1 && isFinite)
      options.push({ scheme, sums: sumsOf(reports, elements) });
  }
  return options;
}
