import {
  DEFAULT_CANDIDATES,
  STATIC_CANDIDATES,
  planOfBase,
  planWithin,
  sumsOf,
  type Budget,
  type BudgetName,
  type BudgetOption,
  type BudgetPlan,
  type FilePlan,
  type Goal,
} from '../../shared/budget-plan.ts';
import { addTo } from '../../shared/lists.ts';
import { isQuantizable } from '../../shared/model.ts';
import { planWeights } from '../../shared/plan.ts';
import type { ExportMode } from '../../shared/exports.ts';
import { activationRules, type Recipe } from '../../shared/recipe.ts';
import { describeScheme, fieldsOf, type Scheme } from '../../shared/scheme.ts';
import type { TensorReport } from '../../shared/report.ts';
import type { RunOptions } from './run-options.ts';
import type { Session } from './session.ts';
import type { Budgeted } from './prepared-view.ts';

/** Longer names do not fit the pattern of a rule when each character is escaped. */
const MAX_NAME = 2000;

/** What a budget is measured for. */
export interface BudgetRequest {
  /** The recipe whose exceptions and minimum size the plan keeps. */
  readonly base: Recipe;
  /** The export mode whose file is to fit. */
  readonly mode: ExportMode;
  /** What each tensor may become, beside what the recipe makes of it and staying as it is. */
  readonly candidates: readonly Scheme[];
}

/** The names of the candidates that a model's format stores well, and in mode static computes on. */
export function defaultCandidates(session: Session, mode: ExportMode): readonly string[] {
  if (mode === 'static') return STATIC_CANDIDATES;
  return session.opened.candidates ?? DEFAULT_CANDIDATES;
}

/** How often a plan is solved anew to come closer to a limit of the file. */
const MAX_ROUNDS = 8;

/** A plan this close under its limit is not improved on: a thousandth of the limit. */
const CLOSE = 1e-3;

/**
 * The mix of schemes that reaches a goal: the least noise in a file of so many bytes, or the fewest
 * bytes for so many dB. A file is more than its tensors (operators, names, the recipe itself), so that
 * the limit on tensors is moved until the file, laid out, meets its own.
 * @param model the session, or in mode static its calibrated copy
 * @throws AppError as Session.previewExport does
 */
export async function planFile(
  model: Budgeted,
  budget: Budget,
  goal: Goal,
  mode: ExportMode,
  options: RunOptions,
): Promise<FilePlan> {
  const sized = (plan: BudgetPlan): Promise<FilePlan> =>
    sizedPlan(model, plan, { goal, mode }, options);
  if (!('maxBytes' in goal)) return sized(planWithin(budget, goal));
  let best = await sized(planWithin(budget, { maxBytes: 0 }));
  // The recipe itself needs no rules, which take bytes of the file, too.
  const base = await sized(planOfBase(budget));
  if (base.meets && (!best.meets || noiseOf(base) <= noiseOf(best))) best = base;
  let limit = goal.maxBytes - (best.fileBytes.after - best.total.bytesAfter);
  let [below, above]: [FilePlan, FilePlan | null] = [best, null];
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const plan = planWithin(budget, { maxBytes: limit });
    const next = await sized(plan);
    const spare = goal.maxBytes - next.fileBytes.after;
    if (spare >= 0 && (!best.meets || noiseOf(next) < noiseOf(best))) best = next;
    if (spare >= 0 && spare <= goal.maxBytes * CLOSE) break;
    if (!plan.meets) break;
    if (spare >= 0) below = next;
    else above = next;
    limit = above === null ? limit + spare / 2 : limitBetween(below, above, goal.maxBytes);
  }
  return best;
}

/** The recipe as it is, as a plan. @throws AppError as Session.previewExport does */
export function planBase(
  model: Budgeted,
  budget: Budget,
  mode: ExportMode,
  options: RunOptions,
): Promise<FilePlan> {
  return sizedPlan(model, planOfBase(budget), { goal: null, mode }, options);
}

/** A plan with what its export, laid out, has. */
async function sizedPlan(
  model: Budgeted,
  plan: BudgetPlan,
  { goal, mode }: { readonly goal: Goal | null; readonly mode: ExportMode },
  options: RunOptions,
): Promise<FilePlan> {
  const preview = await model.previewExport(plan.recipe, mode, options);
  const { bytesBefore, bytesAfter, quantized } = preview;
  const isLimited = goal !== null && 'maxBytes' in goal;
  const meets = isLimited ? bytesAfter <= goal.maxBytes : plan.meets;
  // A prepared copy has other tensors than its source.
  const isCopy = mode === 'static' || preview.preparation !== undefined;
  const kept = preview.kept.reduce((sum, { tensors }) => sum + tensors, 0);
  const total = { ...plan.total, ...(isCopy ? { quantized, kept } : {}) };
  return { ...plan, total, meets, fileBytes: { before: bytesBefore, after: bytesAfter } };
}

/** The bytes of tensors at which a file has so many, where both grow alike between one that is smaller and one that is larger. */
function limitBetween(below: FilePlan, above: FilePlan, maxBytes: number): number {
  const from = below.total.bytesAfter;
  const part = (maxBytes - below.fileBytes.after) / (above.fileBytes.after - below.fileBytes.after);
  return from + part * (above.total.bytesAfter - from);
}

function noiseOf({ total }: BudgetPlan): number {
  return total.sqnrDb === null ? 0 : -total.sqnrDb;
}

/**
 * What each tensor costs under each candidate, under the recipe and as it is. What the recipe keeps
 * on purpose (by a rule, by its minimum size, or for want of a default) stays.
 */
export async function measureBudget(
  model: Budgeted,
  request: BudgetRequest,
  options: RunOptions,
): Promise<Budget> {
  const { kept, measured } = await measure(model, request, options);
  const elements = (tensor: number): number => model.tensors[tensor]!.elements;
  const ofBase = measured[0]!;
  const names: BudgetName[] = [];
  const free = new Set<number>();
  const used = new Set<number>();
  for (const { name, tensors } of freeNames(model, request)) {
    // What preparing the model folds into others is in no export.
    if (tensors.every((tensor) => ofBase.reports[tensor]!.folded === true)) continue;
    const biases = tensors.flatMap((tensor) => ofBase.onIntegers.get(tensor) ?? []);
    const found = optionsOf({ tensors, biases }, kept, measured, elements);
    const options = found.map(({ option }) => option);
    for (const { from } of found) used.add(from);
    names.push({ name, tensors, options, base: ofBase.reports[tensors[0]!]!.scheme });
    for (const tensor of [...tensors, ...biases]) free.add(tensor);
  }
  const isStatic = request.mode === 'static';
  const fixed = (isStatic ? ofBase.reports : kept).filter((report) => !free.has(report.tensor));
  return {
    ...{ base: request.base, names, fixed: sumsOf(fixed, elements) },
    // The first that is measured is the recipe.
    unused: request.candidates.filter((_, at) => !used.has(at + 1)),
    ...(isStatic ? { isStatic } : {}),
  };
}

type Reports = readonly TensorReport[];

/** Every tensor under one recipe. */
interface Measured {
  readonly reports: Reports;
  /** The weights that operators on integers take, with the biases of these; none in modes that compute in float. */
  readonly onIntegers: ReadonlyMap<number, readonly number[]>;
}

/** Every tensor as it is, under the recipe, and under each candidate. */
async function measure(
  model: Budgeted,
  { base, mode, candidates }: BudgetRequest,
  options: RunOptions,
): Promise<{ kept: Reports; measured: readonly Measured[] }> {
  const run = async (recipe: Recipe, what: string): Promise<Measured> => {
    const { reports } = await model.analyze(recipe, {
      signal: options.signal,
      mode,
      withScales: false,
      onProgress: (progress) => options.onProgress?.({ ...progress, what }),
    });
    return { reports, onIntegers: model.onIntegers?.(recipe) ?? new Map() };
  };
  const only = (scheme: Scheme | null): Recipe => ({
    ...base,
    default: scheme === null ? null : fieldsOf(scheme),
    minElements: 0,
    rules: activationRules(base),
  });
  const { reports: kept } = await run(only(null), 'Reading');
  const measured = [await run(base, 'Measuring the recipe')];
  for (const scheme of candidates)
    measured.push(await run(only(scheme), `Measuring ${describeScheme(scheme)}`));
  return { kept, measured };
}

interface NamedTensors {
  readonly name: string;
  readonly tensors: readonly number[];
}

/** The names whose tensors may all change, and which a rule can tell. */
function freeNames(
  { tensors }: Budgeted,
  { base, mode }: Pick<BudgetRequest, 'base' | 'mode'>,
): readonly NamedTensors[] {
  const groups = new Map<string, number[]>();
  const staying = new Set<string>();
  const isStatic = mode === 'static';
  // Operators on integers take weights of any size, and what they take of biases and constants no recipe says.
  const planned = isStatic
    ? planWeights(tensors, { ...base, minElements: 0 }, 'any')
    : planWeights(tensors, base);
  for (const { tensor, scheme, byRule } of planned) {
    const ref = tensors[tensor]!;
    if (!isQuantizable(ref)) continue;
    const onPurpose =
      byRule || isStatic || base.default === null || ref.elements < base.minElements;
    if ((scheme === null && onPurpose) || ref.name.length > MAX_NAME) staying.add(ref.name);
    addTo(groups, ref.name, tensor);
  }
  return [...groups]
    .filter(([name]) => !staying.has(name))
    .map(([name, named]) => ({ name, tensors: named }));
}

/** A way to store tensors, and which of what was measured gives it; -1 for as they are. */
interface FoundOption {
  readonly option: BudgetOption;
  readonly from: number;
}

/**
 * The ways to store tensors of one name: as they are, and under each scheme that suits them. One that has operators
 * compute in float which the recipe has on integers does not: it would be slower, and leave activations in float.
 */
function optionsOf(
  { tensors, biases }: { readonly tensors: readonly number[]; readonly biases: readonly number[] },
  kept: Reports,
  measured: readonly Measured[],
  elements: (tensor: number) => number,
): readonly FoundOption[] {
  const reportsIn = (all: Reports): Reports => [...tensors, ...biases].map((id) => all[id]!);
  const asIs = { scheme: null, sums: sumsOf(reportsIn(kept), elements) };
  const options: FoundOption[] = [{ option: asIs, from: -1 }];
  const wanted = tensors.filter((tensor) => measured[0]!.onIntegers.has(tensor));
  for (const [from, { reports: all, onIntegers }] of measured.entries()) {
    if (!wanted.every((tensor) => onIntegers.has(tensor))) continue;
    const reports = reportsIn(all);
    const schemes = new Set(tensors.map((tensor) => JSON.stringify(all[tensor]!.scheme)));
    const { scheme } = reports[0]!;
    const isFinite = reports.every(({ noise }) => Number.isFinite(noise));
    if (scheme !== null && schemes.size === 1 && isFinite)
      options.push({ option: { scheme, sums: sumsOf(reports, elements) }, from });
  }
  return options;
}
