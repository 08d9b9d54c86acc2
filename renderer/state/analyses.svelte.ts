/* eslint-disable svelte/prefer-svelte-reactivity -- what streams in stays outside of reactivity; versions stand for it */
import { tick } from 'svelte';
import type { Calibration } from './calibration.svelte.ts';
import { AppError, toErrorData } from '../../shared/errors.ts';
import { isPrepared } from '../../shared/exports.ts';
import type { WeightPlans } from '../../shared/plan.ts';
import type { Progress, Side, TensorSummary } from '../../shared/protocol.ts';
import type { Recipe } from '../../shared/recipe.ts';
import type { Statistics, Total } from '../../shared/report.ts';
import { byteSize, decibelsWithUnit } from '../format/numbers.ts';
import { recipeTitle } from '../format/schemes.ts';
import { isCancelled } from './engine-client.ts';
import { oncePerFrame } from './frame.ts';
import { Job } from './jobs.svelte.ts';
import { plain } from './plain.ts';
import { plannedOnce } from './plans.ts';
import { SideState, type Sides } from './side.svelte.ts';
import type { StoreHost } from './store-host.ts';

/** Tensors of a model that is measured in less time than its view is drawn. */
const SMALL_MODEL = 500;

/** Medians and totals are over all tensors: of more than this, every frame would stutter. */
const MANY_TENSORS = 2000;

/** What this store takes of the workbench. */
type Host = Pick<
  StoreHost,
  | 'model'
  | 'file'
  | 'mode'
  | 'jobs'
  | 'selection'
  | 'client'
  | 'recipes'
  | 'inspection'
  | 'failAnalysis'
  | 'compare'
  | 'prepare'
  | 'announcer'
> & { readonly calibration: Pick<Calibration, 'isEqualized'> };

/** The model measured under both recipes: what each side knows, and the statistics that they share. */
export class Analyses {
  readonly #workbench: Host;
  readonly sides: Sides = {
    a: new SideState('a'),
    b: new SideState('b'),
  };
  readonly #running: Partial<Record<Side, AbortController>> = {};
  readonly #statistics = new Map<number, Statistics>();
  /** Which copy of the model those are of. */
  #copy = '';
  #statisticsVersion = $state(0);
  /** Tensors without those of the prepared copy, one list for each, as plans are found once for a list. */
  readonly #own = new WeakMap<readonly TensorSummary[], readonly TensorSummary[]>();
  #visible: readonly number[] = [];

  readonly #bump = oncePerFrame(
    () => {
      this.sides.a.version++;
      this.sides.b.version++;
      this.#statisticsVersion++;
    },
    () => ((this.#workbench.model?.tensors.length ?? 0) > MANY_TENSORS ? 200 : 0),
  );

  constructor(workbench: Host) {
    this.#workbench = workbench;
  }

  statistics(tensor: number): Statistics | undefined {
    void this.#statisticsVersion;
    return this.#statistics.get(tensor);
  }

  /** Tell which rows can be seen: they are reported first. */
  setVisible(tensors: readonly number[]): void {
    this.#visible = tensors;
  }

  /** Start over with the tensors of another model. */
  reset(tensors: readonly TensorSummary[]): void {
    this.#visible = [];
    for (const side of ['a', 'b'] as const) {
      this.stop(side);
      this.sides[side].reset(tensors);
    }
    this.#statistics.clear();
  }

  /** More tensors are told of, since the model's prepared copy is made. */
  grow(tensors: readonly TensorSummary[]): void {
    for (const side of ['a', 'b'] as const) this.sides[side].grow(tensors);
  }

  stop(side: Side): void {
    this.#running[side]?.abort();
  }

  /** Report the model under a side's recipe: the plan at once, figures as they come. */
  async run(side: Side): Promise<void> {
    const { file, mode, jobs, selection, client } = this.#workbench;
    if (this.#workbench.model === null || file === null) return;
    this.stop(side);
    const abort = new AbortController();
    this.#running[side] = abort;
    const state = this.sides[side];
    const recipe = this.#workbench.recipes[side];
    let plan: WeightPlans;
    try {
      if (this.#waitsForCopy(side)) await this.#workbench.prepare();
      if (abort.signal.aborted) return;
      const planned = this.#planned(this.#tensorsOf(side), recipe, file.handle, abort.signal);
      // Whoever waits, if only for a promise that is settled, comes behind the drawing of the view.
      plan = planned instanceof Promise ? await planned : planned;
    } catch (error) {
      if (isCancelled(error)) {
        // Whoever stopped the preparation goes on when they like.
        state.isPaused = this.#running[side] === abort && !abort.signal.aborted;
        return;
      }
      // Rules that take too long to match: nothing is planned until they are changed.
      this.#workbench.failAnalysis(error);
      return;
    }
    const { model } = this.#workbench;
    if (model === null) return;
    state.plan = plan;
    state.running = true;
    state.isPaused = false;
    const job = new Job(`Measuring ${side.toUpperCase()}, ${recipeTitle(recipe)}`, () => {
      state.isPaused = true;
      abort.abort();
    });
    // The inspector asks first: its one layer would wait for the batches of a whole model. Of a large model the view
    // says which rows are seen; a small one is measured while it is drawn.
    if (model.tensors.length > SMALL_MODEL || !this.#workbench.inspection.isCurrent) await tick();
    const first = [...new Set([...selection.ids, ...this.#visible])];
    const withStatistics = this.#takesStatistics(side);
    try {
      const total = await jobs.run(job, () =>
        client.request(
          'analyze',
          { handle: file.handle, side, recipe: plain(recipe), mode, first, withStatistics },
          {
            signal: abort.signal,
            onProgress: (progress: Progress) => this.#progress(job, progress),
            onReports: (reports) => {
              state.take(reports, plan);
              this.#bump();
            },
            onStatistics: (entries) => {
              const isOther = side === 'b' && !this.#areAlike;
              for (const { tensor, statistics } of entries)
                if (!isOther || !this.#statistics.has(tensor))
                  this.#statistics.set(tensor, statistics);
              this.#bump();
            },
          },
        ),
      );
      state.total = total;
      this.#announceTotal(side, total);
    } catch (error) {
      if (!isCancelled(error)) this.#workbench.failAnalysis(error);
    } finally {
      if (this.#running[side] === abort) state.settle();
    }
  }

  /** Whether a side is of the prepared copy of the model. */
  isPrepared(side: Side): boolean {
    const { model, mode, recipes } = this.#workbench;
    return model?.runtime === 'onnxruntime' && isPrepared(recipes[side], mode);
  }

  /** Which values a side is of: the model's, those of its prepared copy, or of one with equalized weights. */
  copyOf(side: Side): string {
    const { calibration, recipes } = this.#workbench;
    if (!this.isPrepared(side)) return '';
    return calibration.isEqualized(recipes[side]) ? 'equalized' : 'prepared';
  }

  /** Whether both sides are of the same values. */
  get #areAlike(): boolean {
    return !this.#workbench.compare || this.copyOf('a') === this.copyOf('b');
  }

  #waitsForCopy(side: Side): boolean {
    return this.isPrepared(side) && this.#workbench.model?.preparation === undefined;
  }

  /** The tensors that a side's export can have. */
  #tensorsOf(side: Side): readonly TensorSummary[] {
    const tensors = this.#workbench.model?.tensors ?? [];
    if (this.isPrepared(side) || tensors.at(-1)?.isMade !== true) return tensors;
    return this.#own.get(tensors) ?? this.#withoutMade(tensors);
  }

  #withoutMade(tensors: readonly TensorSummary[]): readonly TensorSummary[] {
    const own = tensors.filter(({ isMade }) => isMade !== true);
    this.#own.set(tensors, own);
    return own;
  }

  /** Whether statistics are wanted that the engine has already. Those shown are of A's copy. */
  #takesStatistics(side: Side): boolean {
    if (side === 'a' && this.#copy !== this.copyOf('a')) {
      this.#copy = this.copyOf('a');
      this.#statistics.clear();
    }
    return this.#statistics.size === 0;
  }

  /** What a recipe asks for: found at once, or by the engine where regular expressions take long. */
  #planned(
    tensors: readonly TensorSummary[],
    recipe: Recipe,
    handle: string,
    signal: AbortSignal,
  ): WeightPlans | Promise<WeightPlans> {
    try {
      return plannedOnce(tensors, recipe);
    } catch (error) {
      if (toErrorData(error).code !== 'LIMIT') throw error;
    }
    return this.#plannedByEngine(recipe, handle, signal);
  }

  async #plannedByEngine(
    recipe: Recipe,
    handle: string,
    signal: AbortSignal,
  ): Promise<WeightPlans> {
    const asked = { handle, recipe: plain(recipe) };
    const plan = await this.#workbench.client.request('planWeights', asked, { signal });
    if (signal.aborted) throw new AppError('CANCELLED', 'cancelled');
    return plan;
  }

  /** Take a job's progress; long ones are announced at every quarter. */
  #progress(job: Job, progress: Progress): void {
    const before = Math.floor(job.fraction * 4);
    job.update(progress);
    const after = Math.floor(job.fraction * 4);
    if (after > before && job.seconds > 2)
      this.#workbench.announcer.say(`${job.label}: ${after * 25} %`);
  }

  #announceTotal(side: Side, { bytesAfter, sqnrDb }: Total): void {
    const figures = [byteSize(bytesAfter), sqnrDb === null ? '' : decibelsWithUnit(sqnrDb)];
    this.#workbench.announcer.say(`${side.toUpperCase()}: ${figures.filter(Boolean).join(', ')}`);
  }
}
