/* eslint-disable svelte/prefer-svelte-reactivity -- reports stay outside of reactivity; `version` stands for them */
import type { WeightPlans } from '../../shared/plan.ts';
import type { Side, TensorSummary } from '../../shared/protocol.ts';
import type { TensorFigures, Total } from '../../shared/report.ts';
import { figuresOf, isOutlier, medianDb, type Entry, type Figures } from './figures.ts';
import { hasRole } from './table.ts';

/**
 * What is known of a model under one recipe. Reports live in a plain map outside of deep reactivity;
 * `version` moves once a frame while they stream in, and everything shown depends on it.
 */
export class SideState {
  readonly side: Side;
  readonly #entries = new Map<number, Entry>();
  #tensors: readonly TensorSummary[] = [];
  version = $state(0);
  #plan = $state.raw<WeightPlans>([]);
  /** The engine's total of the last analysis that ended; kept while a new one runs. */
  total = $state.raw<Total | null>(null);
  running = $state(false);
  /** Whether the person stopped the analysis before its end. */
  isPaused = $state(false);
  /** Moves when an analysis has ended: what is ordered by figures is ordered anew then, not while they stream. */
  settled = $state(0);

  /** Kept up with each report, as making all anew for a few of them would stutter. */
  #figures: Figures[] = [];
  readonly #all = $derived.by(() => {
    void this.version;
    return { figures: this.#figures };
  });

  /** Of weights: mode static stores biases in int32, which are nearly exact. */
  readonly median = $derived(
    medianDb(this.#all.figures.filter((_, tensor) => this.#isWeight(tensor))),
  );
  readonly quantized = $derived(count(this.#all.figures, ({ scheme }) => scheme !== null));
  readonly outliers = $derived.by(() => {
    const { median } = this;
    return count(this.#all.figures, (each) => isOutlier(each, median));
  });
  /** Bytes of all the model's tensors under the recipe. */
  readonly bytes = $derived(this.#all.figures.reduce((sum, { bytes }) => sum + bytes, 0));

  constructor(side: Side) {
    this.side = side;
  }

  /** Start over with another model. */
  reset(tensors: readonly TensorSummary[]): void {
    this.#tensors = tensors;
    this.#entries.clear();
    this.plan = [];
    this.total = null;
    this.running = false;
    this.isPaused = false;
    this.version++;
    this.settled++;
  }

  /** More tensors are told of; what is known of the others stays. */
  grow(tensors: readonly TensorSummary[]): void {
    this.#tensors = tensors;
    this.plan = this.#plan;
  }

  get plan(): WeightPlans {
    return this.#plan;
  }

  /** Another plan: what it does and weighs is known at once. */
  set plan(plan: WeightPlans) {
    this.#plan = plan;
    this.#figures = this.#tensors.map((tensor) => this.#figuresOf(tensor));
    this.version++;
  }

  #figuresOf(tensor: TensorSummary): Figures {
    return figuresOf(tensor, this.#plan[tensor.id], this.#entries.get(tensor.id));
  }

  #isWeight(tensor: number): boolean {
    const ref = this.#tensors[tensor];
    return ref !== undefined && hasRole(ref, 'weights');
  }

  figures(tensor: number): Figures {
    const known = this.#all.figures[tensor];
    if (known === undefined) throw new RangeError(`no tensor has the number ${tensor}`);
    return known;
  }

  isOutlier(tensor: number): boolean {
    return isOutlier(this.figures(tensor), this.median);
  }

  report(tensor: number): TensorFigures | undefined {
    void this.version;
    return this.#entries.get(tensor)?.report;
  }

  /** The analysis has ended, well or not. */
  settle(): void {
    this.running = false;
    this.version++;
    this.settled++;
  }

  /** Take reports of an analysis under `plan`. The version is left to the caller, who moves it once a frame. */
  take(reports: readonly TensorFigures[], plan: WeightPlans): void {
    for (const report of reports) {
      this.#entries.set(report.tensor, { report, asked: plan[report.tensor]?.scheme ?? null });
      const tensor = this.#tensors[report.tensor];
      if (tensor !== undefined) this.#figures[report.tensor] = this.#figuresOf(tensor);
    }
  }
}

/** The model under both recipes. */
export type Sides = Readonly<Record<Side, SideState>>;

function count(figures: readonly Figures[], test: (figures: Figures) => boolean): number {
  let total = 0;
  for (const figure of figures) if (test(figure)) total++;
  return total;
}
