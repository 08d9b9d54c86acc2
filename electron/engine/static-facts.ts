import {
  decidedBy,
  isMeasuredFor,
  type BestRange,
  type ChosenRange,
  type ObservedValue,
  type Ranges,
} from '../../shared/ranges.ts';
import type { Equalization } from '../../shared/equalization.ts';
import { valueKey } from '../../shared/graph.ts';
import { planWeights, type PlannedTensor, type TensorPlan } from '../../shared/plan.ts';
import {
  choosesRange,
  wantsEqualized,
  type ActivationScheme,
  type Recipe,
} from '../../shared/recipe.ts';
import type { Scheme } from '../../shared/scheme.ts';
import type { TensorReport } from '../../shared/report.ts';
import { chooseRange } from './calibrate/choose-range.ts';
import type { OpenedModel, StaticFacts, WeightParameters, WeightSums } from './formats/format.ts';
import { readNumbers } from './tensor-bytes.ts';

const CALIBRATED_WITHOUT =
  'the model was calibrated without equalization; calibrate it again with this recipe';

/** What calibration and measured weights tell of a model's plans for static quantization. */
export class StaticKnowledge {
  private readonly opened: OpenedModel;
  private readonly planned: readonly PlannedTensor[];
  private observed: ReadonlyMap<string, ObservedValue> | null = null;
  private best: Ranges['best'];
  private equalization: Ranges['equalization'];
  private skipped: ReadonlyMap<string, string> = new Map();
  /** By tensor and scheme. */
  private measured = new Map<string, WeightParameters>();
  /** By operator and scheme of its weight. */
  private excess = new Map<string, readonly number[]>();
  /** By value and scheme: a search takes a while, and plans ask again. */
  private chosen = new Map<string, ReturnType<typeof chooseRange>>();

  /** @param planned the tensors as the rules of recipes see them */
  constructor(opened: OpenedModel, planned: readonly PlannedTensor[]) {
    this.opened = opened;
    this.planned = planned;
  }

  get isCalibrated(): boolean {
    return this.observed !== null;
  }

  /** Plan from these ranges from now on. */
  use({ values, skipped, best, equalization }: Ranges): void {
    [this.best, this.equalization] = [best, equalization];
    this.observed = new Map(values.map((value) => [value.name, value]));
    this.skipped = new Map(skipped.map(({ name, reason }) => [name, reason]));
    this.chosen = new Map();
    this.excess = new Map();
  }

  /** The range method that a recipe leaves to calibration: its own where none was measured for its activations. */
  bestRange(recipe: Recipe): BestRange | undefined {
    const { activations } = recipe;
    if (!choosesRange(recipe) || !activations) return undefined;
    if (this.best !== undefined && isMeasuredFor(this.best, recipe)) return this.best;
    const { dtype, symmetric, range } = activations;
    return { range, of: { dtype, symmetric }, isNearest: false, tried: [] };
  }

  /** What became of a recipe's wish for equalized weights; undefined where it has none. */
  equalizationOf(recipe: Recipe): Equalization | undefined {
    if (!wantsEqualized(recipe)) return undefined;
    const { equalization } = this;
    if (recipe.equalize === 'byOutputs' && equalization !== undefined) return equalization;
    // What exports lose was measured for another recipe, whose wish it answers.
    const { tried, ...found } = equalization ?? { layers: [], left: [], tried: null };
    const isOther = tried !== undefined && found.layers.length === 0;
    return isOther ? { ...found, dropped: CALIBRATED_WITHOUT } : found;
  }

  /** Weights are to be measured again, as their codes may be others now. */
  forgetMeasured(): void {
    this.measured = new Map();
    this.excess = new Map();
  }

  /** What the recipe asks of the weights, of any size: operators on integers want theirs whatever it saves. */
  asked(recipe: Recipe): readonly TensorPlan[] {
    return planWeights(this.planned, { ...decidedBy(this.best, recipe), minElements: 0 }, 'any');
  }

  /** Stored tensors whose scales a plan asks for, as biases are in units of them, and that were not measured yet. */
  unmeasured(recipe: Recipe): readonly TensorPlan[] {
    if (!this.isCalibrated) return [];
    const missing = new Map<string, TensorPlan>();
    const parametersOf: StaticFacts['parametersOf'] = (tensor, scheme) => {
      const key = keyOf(tensor, scheme);
      const known = this.measured.get(key);
      if (known === undefined) missing.set(key, { tensor, scheme, reason: null, byRule: false });
      return known ?? null;
    };
    this.opened.planStatic?.(this.asked(recipe), { ...this.facts(recipe), parametersOf });
    return [...missing.values()];
  }

  /** Sums over weights that a plan asks for, as biases are corrected by them, and that were not made yet. */
  unsummed(recipe: Recipe): readonly WeightSums[] {
    if (!this.isCalibrated) return [];
    const missing = new Map<string, WeightSums>();
    const excessOf: StaticFacts['excessOf'] = (sums) => {
      const known = this.excess.get(excessKey(sums));
      if (known === undefined) missing.set(excessKey(sums), sums);
      return known ?? null;
    };
    this.opened.planStatic?.(this.asked(recipe), { ...this.facts(recipe), excessOf });
    return [...missing.values()];
  }

  learnExcess(sums: WeightSums, excess: Float64Array): void {
    this.excess.set(excessKey(sums), Array.from(excess));
  }

  learn(reports: readonly TensorReport[]): void {
    for (const { tensor, scheme, scale, zeroPoint } of reports)
      if (scheme !== null)
        this.measured.set(keyOf(tensor, scheme), {
          scale: Array.from(scale),
          zeroPoint: Array.from(zeroPoint),
        });
  }

  facts(recipe: Recipe): StaticFacts {
    const { model, files } = this.opened;
    return {
      recipe: decidedBy(this.best, recipe),
      rangeOf: (value, scheme, part) =>
        this.rangeOf(valueKey(this.opened.graph().values[value]!), scheme, part),
      parametersOf: (tensor, scheme) => this.measured.get(keyOf(tensor, scheme)) ?? null,
      channelsOf: (value) =>
        this.observed?.get(valueKey(this.opened.graph().values[value]!))?.channels ?? null,
      excessOf: (sums) => this.excess.get(excessKey(sums)) ?? null,
      numbersOf: (tensor) => readNumbers(files, model.tensors[tensor]!),
    };
  }

  private rangeOf(
    name: string,
    scheme: ActivationScheme,
    part?: ChosenRange,
  ): ReturnType<StaticFacts['rangeOf']> {
    if (this.observed === null) return { missing: 'not calibrated yet' };
    const observed = this.observed.get(name);
    if (observed === undefined)
      return { missing: this.skipped.get(name) ?? 'not among the values that were calibrated' };
    const key = JSON.stringify([name, scheme, part]);
    const range = this.chosen.get(key) ?? chooseRange(observed, scheme, part);
    this.chosen.set(key, range);
    return range;
  }
}

function excessKey({ operator, scheme }: WeightSums): string {
  return keyOf(operator, scheme);
}

function keyOf(tensor: number, scheme: Scheme): string {
  return `${tensor} ${JSON.stringify(scheme)}`;
}
