import { AppError } from '../../shared/errors.ts';
import { suggestedFileName } from '../../shared/formats.ts';
import type { TensorRef } from '../../shared/model.ts';
import {
  planWeights,
  weightsOnly,
  type Plan,
  type PlannedTensor,
  type TensorPlan,
  type WeightPlans,
} from '../../shared/plan.ts';
import type { ExportMode } from '../../shared/exports.ts';
import type { Ranges } from '../../shared/ranges.ts';
import { choosesCodes, type Recipe } from '../../shared/recipe.ts';
import { algorithmOf, type Scheme } from '../../shared/scheme.ts';
import type { WeightMoments } from './weight-moments.ts';
import { fitPlan } from './export/fit-plan.ts';
import type { Layout } from './export/layout.ts';
import { NO_SMALLER_EXPORT } from './formats/no-gain.ts';
import type { OpenedModel } from './formats/format.ts';
import { isReadable, type Measuring } from './measuring.ts';
import { nonFiniteReason, overflowReason } from './reports.ts';
import type { RunOptions } from './run-options.ts';
import type { Solutions } from './solutions.ts';
import { StaticKnowledge } from './static-facts.ts';

/** Plans that are remembered: two sides in two modes. */
const KEPT_PLANS = 4;

/** Above this many tensors a whole model is not laid out to inspect one of them. */
const MANY_TENSORS = 2000;

/** How a model is planned and its exports are named. */
interface PlanningNames {
  /** The name that exports are suggested names by. */
  readonly label: string;
  /** The tensors as the rules of recipes see them. */
  readonly planned: readonly PlannedTensor[];
  /** Bytes that exports must be smaller than: a prepared copy can be larger than its source. */
  readonly limit: number;
}

/** A plan as it is carried out, and its layout: under the suggested name, and under any. */
interface CarriedOut {
  readonly plan: Plan;
  readonly layout: Layout;
  readonly layoutFor: (targetName: string) => Layout;
}

/** Plans of one open model, and what they depend on: statistics, scales of weights, and ranges of activations. */
export class Planning {
  private readonly opened: OpenedModel;
  private readonly measuring: Measuring;
  private readonly label: string;
  private readonly limit: number;
  private readonly planned: readonly PlannedTensor[];
  /** The last plans by recipe and mode, the newest last. */
  private readonly plans = new Map<string, Plan>();
  private readonly calibration: StaticKnowledge;
  private readonly solutions: Solutions;

  constructor(
    opened: OpenedModel,
    measuring: Measuring,
    { label, planned, limit }: PlanningNames,
    solutions: Solutions,
  ) {
    this.opened = opened;
    this.measuring = measuring;
    this.solutions = solutions;
    [this.label, this.limit, this.planned] = [label, limit, planned];
    this.calibration = new StaticKnowledge(opened, planned);
  }

  /**
   * What an export in a mode does to each tensor under a recipe, and why it keeps the others.
   * @throws AppError UNSUPPORTED when the format has no such mode
   */
  plan(recipe: Recipe, mode: ExportMode): Plan {
    assertMode(this.opened, mode);
    const key = JSON.stringify([mode, recipe]);
    const plan = this.plans.get(key) ?? this.fitted(this.asked(recipe, mode), mode, recipe);
    this.plans.delete(key);
    this.plans.set(key, plan);
    for (const oldest of this.plans.keys()) {
      if (this.plans.size <= KEPT_PLANS) break;
      this.plans.delete(oldest);
    }
    return plan;
  }

  /** The plan, once everything that it depends on was read. @throws as plan, and as Measuring.run */
  async planRead(recipe: Recipe, mode: ExportMode, options: RunOptions): Promise<Plan> {
    await this.read(recipe, mode, options);
    return this.plan(recipe, mode);
  }

  /**
   * The plan of one tensor. Laying out a model of many thousand tensors takes longer than the
   * inspector may: there, until the whole model's plan is known, the tensor is planned on its own.
   * @throws as planRead
   */
  async planOf(
    ref: TensorRef,
    recipe: Recipe,
    mode: ExportMode,
    signal: AbortSignal,
  ): Promise<TensorPlan> {
    await this.readForBiases(recipe, mode, { signal });
    await this.readSolutions(recipe, mode, { signal }, ref.id);
    const isKnown = mode === 'static' || this.plans.has(JSON.stringify([mode, recipe]));
    if (isKnown || this.tensors.length <= MANY_TENSORS)
      return this.plan(recipe, mode).weights[ref.id]!;
    const asked = planWeights([this.planned[ref.id]!], recipe)[0]!;
    const alone = this.tensors.map(({ id }) =>
      id === ref.id ? asked : { ...asked, tensor: id, scheme: null },
    );
    return this.fitted(alone, mode, recipe).weights[ref.id]!;
  }

  /** Quantize activations in mode static by these ranges. */
  useRanges(ranges: Ranges): void {
    this.calibration.use(ranges);
    this.plans.clear();
  }

  /** Choose codes by these moments. */
  useMoments(moments: WeightMoments): void {
    this.solutions.use(moments);
    this.calibration.forgetMeasured();
    this.plans.clear();
  }

  /** The weights whose codes a recipe wants chosen on samples. */
  wantsMoments(recipe: Recipe, mode: ExportMode): readonly number[] {
    return this.asked(recipe, mode)
      .filter(({ scheme }) => scheme !== null && algorithmOf(scheme) !== 'nearest')
      .map(({ tensor }) => tensor);
  }

  /** A planned tensor of a layout as it is encoded. */
  encoded(entry: TensorPlan): TensorPlan {
    return this.solutions.applied(entry);
  }

  /** The name that an export is suggested by. */
  suggestedName(recipe: Recipe, mode: ExportMode): string {
    return suggestedFileName(this.label, recipe.name, mode, this.opened.extension);
  }

  /** Lay out an export. What a scheme cannot hold is known only after the first pass, so that is made here where it is missing. */
  async layouts(
    recipe: Recipe,
    mode: ExportMode,
    options: RunOptions,
  ): Promise<{ plan: Plan; layoutFor: (targetName: string) => Layout }> {
    assertMode(this.opened, mode);
    const asked = this.asked(recipe, mode);
    await this.measuring.readUnknown(
      asked.filter(({ scheme }) => scheme !== null && !decidesOverflow(mode, scheme)),
      options,
    );
    await this.read(recipe, mode, options);
    const held = asked.map((entry) => this.heldBy(entry, mode));
    const computing = this.computing(held, mode, recipe);
    if (mode === 'static' || this.limit < Infinity) return this.carriedOut(computing, mode, recipe);
    const layoutFor = (name: string): Layout => this.layoutOf(computing, mode, recipe, name);
    return { plan: computing, layoutFor };
  }

  /** Read what the plan of a mode depends on. */
  private async read(recipe: Recipe, mode: ExportMode, options: RunOptions): Promise<void> {
    await this.readConstants(mode, options);
    await this.readForBiases(recipe, mode, options);
    await this.readSolutions(recipe, mode, options);
  }

  /** Codes that an algorithm chooses, of the weights as the format stores them; or of one tensor. */
  private async readSolutions(
    recipe: Recipe,
    mode: ExportMode,
    options: RunOptions,
    only?: number,
  ): Promise<void> {
    if (!choosesCodes(recipe)) return;
    const { weights } = this.plan(recipe, mode);
    const wanted = only === undefined ? weights : [weights[only]!];
    if (await this.solutions.solve(wanted, options)) this.plans.clear();
  }

  /** Biases of operators on integers are in units of their weights' scales, and make up for what those weights' codes add. */
  private async readForBiases(
    recipe: Recipe,
    mode: ExportMode,
    options: RunOptions,
  ): Promise<void> {
    if (mode !== 'static') return;
    await this.readScales(recipe, options);
    await this.readExcess(recipe, options);
  }

  private async readScales(recipe: Recipe, options: RunOptions): Promise<void> {
    const wanted = this.calibration.unmeasured(recipe);
    if (wanted.length === 0) return;
    await this.solutions.solve(wanted, options);
    const solved = wanted.map((entry) => this.solutions.withSolution(entry));
    await this.measuring.run(solved, 'Measuring', { ...options, withScales: true }, (reports) =>
      this.calibration.learn(reports),
    );
    this.plans.clear();
  }

  private async readExcess(recipe: Recipe, options: RunOptions): Promise<void> {
    const wanted = this.calibration.unsummed(recipe);
    if (wanted.length === 0) return;
    const solved = wanted.map((sums) => this.solutions.withSolution(sums));
    await this.measuring.excess(solved, options, (sums, excess) =>
      this.calibration.learnExcess(sums, excess),
    );
    this.plans.clear();
  }

  /** Float16 arithmetic is planned by what every float tensor holds, constants too. */
  private async readConstants(mode: ExportMode, options: RunOptions): Promise<void> {
    if (mode !== 'float16') return;
    const readable = this.tensors.filter((ref) => isReadable(ref));
    await this.measuring.readUnknown(
      readable.map(({ id }) => ({ tensor: id, scheme: null, reason: null, byRule: false })),
      options,
    );
  }

  private layoutOf(plan: Plan, mode: ExportMode, recipe: Recipe, targetName: string): Layout {
    return this.opened.layout(plan, mode, recipe, targetName, this.measuring.statistics());
  }

  /** The plan of a tensor whose values its scheme may not hold: then it is kept. */
  private heldBy(entry: TensorPlan, mode: ExportMode): TensorPlan {
    const { scheme, tensor } = entry;
    const statistics = this.measuring.passes.get(tensor)?.statistics;
    if (scheme === null || statistics === undefined || decidesOverflow(mode, scheme)) return entry;
    const reason =
      scheme.kind === 'cast'
        ? overflowReason(scheme, statistics)
        : statistics.firstNonFinite === null
          ? null
          : nonFiniteReason(statistics);
    return reason === null ? entry : { ...entry, scheme: null, reason };
  }

  /** A plan as the format's layout carries it out; as it is where the model cannot be exported at all. */
  private fitted(asked: WeightPlans, mode: ExportMode, recipe: Recipe): Plan {
    try {
      const computing = this.computing(asked, mode, recipe);
      const { plan, layout } = this.carriedOut(computing, mode, recipe);
      const weights = fitPlan(plan.weights, layout);
      return { ...plan, weights: weights.map((entry) => this.solutions.applied(entry)) };
    } catch (error) {
      if (error instanceof AppError && error.code === 'UNSUPPORTED') return weightsOnly(asked);
      throw error;
    }
  }

  /** The plan as the format's layout carries it out in activations and operators; in mode static all of it or nothing. */
  private carriedOut(plan: Plan, mode: ExportMode, recipe: Recipe): CarriedOut {
    const layoutFor = (name: string): Layout => this.layoutOf(plan, mode, recipe, name);
    const layout = layoutFor(this.suggestedName(recipe, mode));
    const { idle } = layout;
    if (idle !== undefined) return { plan: inFloat(plan, idle), layout, layoutFor };
    const isIdle = layout.quantized.length === 0;
    if (isIdle || layout.bytes < this.limit) return { plan, layout, layoutFor };
    const reason = this.whyNoSmaller();
    const weights = plan.weights.map((entry) =>
      entry.scheme === null ? entry : { ...entry, scheme: null, reason },
    );
    return this.carriedOut({ ...inFloat(plan, reason), weights }, mode, recipe);
  }

  /** Why an export of a prepared copy would not be smaller than the source. */
  private whyNoSmaller(): string {
    const more = this.opened.files.reduce((sum, { size }) => sum + size, 0) - this.limit;
    return more > 0 ? `${NO_SMALLER_EXPORT}: preparing it adds ${more} bytes` : NO_SMALLER_EXPORT;
  }

  /** What a recipe asks of the weights, before the format fits it. */
  private asked(recipe: Recipe, mode: ExportMode): WeightPlans {
    return mode === 'static' ? this.calibration.asked(recipe) : planWeights(this.planned, recipe);
  }

  /** The plan of weights, with that of activations and operators where the mode has one. */
  private computing(weights: WeightPlans, mode: ExportMode, recipe: Recipe): Plan {
    if (mode !== 'static' || this.opened.planStatic === undefined) return weightsOnly(weights);
    const plan = this.opened.planStatic(weights, this.calibration.facts(recipe));
    const bestRange = this.calibration.bestRange(recipe);
    const equalization = this.calibration.equalizationOf(recipe);
    return {
      ...plan,
      ...(bestRange === undefined ? {} : { bestRange }),
      ...(equalization === undefined ? {} : { equalization }),
    };
  }

  private get tensors(): readonly TensorRef[] {
    return this.opened.model.tensors;
  }
}

/** A plan whose activations and operators stay in float for a reason. */
function inFloat({ weights, activations, operators }: Plan, reason: string): Plan {
  return {
    weights,
    activations: activations.map((value) => ({ ...value, scheme: null, reason })),
    operators: operators.map((each) =>
      each.isInteger ? { operator: each.operator, isInteger: false, reason } : each,
    ),
  };
}

/** @throws AppError UNSUPPORTED where a format does not have an export mode */
export function assertMode({ modes, model }: OpenedModel, mode: ExportMode): void {
  if (modes.includes(mode)) return;
  throw new AppError('UNSUPPORTED', `${model.format} has no such export mode`, {
    field: 'mode',
    found: mode,
    expected: modes.join(', '),
  });
}

/** Whether a mode decides itself about values that become infinite: cast stores them as model.to(dtype) does. */
function decidesOverflow(mode: ExportMode, { kind }: Scheme): boolean {
  return kind === 'cast' && (mode === 'cast' || mode === 'float16');
}
