import { curveOf, type Budget, type FilePlan, type Goal } from '../../shared/budget-plan.ts';
import { type ErrorData, toErrorData } from '../../shared/errors.ts';
import type { ExportMode } from '../../shared/exports.ts';
import type { Side } from '../../shared/protocol.ts';
import type { Recipe } from '../../shared/recipe.ts';
import { describeScheme, type Scheme } from '../../shared/scheme.ts';
import { gainOf, type SensitivityTable } from '../../shared/sensitivity.ts';
import { referencesOf } from './budget-marks.ts';
import { isCancelled } from './engine-client.ts';
import { Job } from './jobs.svelte.ts';
import { plain } from './plain.ts';
import type { Runs } from './runs.svelte.ts';
import type { StoreHost } from './store-host.ts';

export type GoalKind = 'bytes' | 'decibels';

/** A layer's part of a plan. */
export interface Share {
  readonly tensor: number;
  readonly name: string;
  readonly scheme: Scheme | null;
  readonly bytes: number;
  readonly sqnrDb: number | null;
  /** Of the plan's squared error, 0 to 1. */
  readonly share: number;
}

/** The bytes of an export. */
export interface Sized {
  readonly recipe: Recipe;
  readonly mode: ExportMode;
  readonly bytes: number;
}

/** What was measured of a plan with each layer in float, and what the plan was solved in. */
interface LeftOut {
  readonly budget: Budget;
  readonly plan: FilePlan;
  readonly table: SensitivityTable;
}

/** What this store takes of the workbench. */
type Host = Pick<
  StoreHost,
  'model' | 'file' | 'recipes' | 'mode' | 'compare' | 'client' | 'jobs' | 'history' | 'nameOf'
> & { readonly runs: Pick<Runs, 'wanted'> };

/** The budget of a model: measured once by the engine, and solved by it as the goal moves. */
export class Budgeting {
  readonly #workbench: Host;
  #abort: AbortController | null = null;
  budget = $state.raw<Budget | null>(null);
  error = $state.raw<ErrorData | null>(null);
  isMeasuring = $state(false);
  /** Whether the person stopped the measurement; it goes on when they ask for it. */
  isCancelled = $state(false);
  kind = $state<GoalKind>('bytes');
  /** Whether the error that counts is that of the weights, or what the outputs lose on samples. */
  by = $state<'weights' | 'outputs'>('weights');
  /** Of the exported file. */
  maxBytes = $state(0);
  minSqnrDb = $state(40);
  /** The names of the schemes that a plan may choose; null for those of the format. */
  candidates = $state.raw<readonly string[] | null>(null);
  /** The names that were measured. */
  measured = $state.raw<readonly string[]>([]);
  /** The export mode that was measured. */
  measuredMode = $state.raw<ExportMode | null>(null);
  /** The plan for the goal; the one before it stays until the engine has solved the new one. */
  plan = $state.raw<FilePlan | null>(null);
  /** Of the exports of A and B, each with the recipe that it is of. */
  sized = $state.raw<Readonly<Partial<Record<Side, Sized>>>>({});
  #solving: AbortController | null = null;
  /** Ends when the newest goal is solved. */
  #solved: Promise<void> | undefined;
  /** What the outputs gain when each layer of a plan stays in float, by what was measured. */
  #leftOut = $state.raw<LeftOut | null>(null);
  #leavingOut = $state.raw<AbortController | null>(null);

  readonly goal = $derived<Goal>(
    this.kind === 'bytes' ? { maxBytes: this.maxBytes } : { minSqnrDb: this.minSqnrDb },
  );
  /** What the file has beside its tensors: names, operators, the recipe. */
  readonly #beside = $derived(
    this.plan === null ? 0 : this.plan.fileBytes.after - this.plan.total.bytesAfter,
  );
  /** In bytes of the file, as the goal is. */
  readonly curve = $derived(
    this.budget === null || this.plan === null
      ? []
      : curveOf(this.budget).map((point) => ({ ...point, bytes: point.bytes + this.#beside })),
  );
  readonly references = $derived(
    this.budget === null || this.plan === null
      ? []
      : referencesOf(this.budget).map((mark) => ({ ...mark, bytes: mark.bytes + this.#beside })),
  );
  readonly shares = $derived.by((): readonly Share[] => {
    const { budget, plan } = this;
    if (budget === null || plan === null) return [];
    const chosen = budget.names.map(({ options }, at) => options[plan.chosen[at]!]!);
    const noise = chosen.reduce((sum, { sums }) => sum + sums.noise, budget.fixed.noise);
    return budget.names
      .map(({ tensors }, at): Share => {
        const { scheme, sums } = chosen[at]!;
        const signal = budget.by === 'outputs' ? budget.fixed.signal : sums.signal;
        const db =
          scheme === null || signal === 0
            ? null
            : sums.noise === 0
              ? Infinity
              : 10 * Math.log10(signal / sums.noise);
        return {
          tensor: tensors[0]!,
          name: this.#workbench.nameOf(tensors[0]!),
          scheme,
          bytes: sums.bytesAfter,
          sqnrDb: db,
          share: noise === 0 ? 0 : sums.noise / noise,
        };
      })
      .sort((a, b) => b.share - a.share);
  });

  /** Gains of the shown plan's outputs in dB, by number of the weights; null where they were not measured. */
  readonly gains = $derived.by((): Readonly<Record<number, number | null>> | null => {
    if (this.#leftOut === null || !this.#isShown(this.#leftOut)) return null;
    const { allSqnrDb, layers } = this.#leftOut.table;
    return Object.fromEntries(layers.map((layer) => [layer.tensors[0]!, gainOf(layer, allSqnrDb)]));
  });
  /** Whether gains were measured, of another plan than the one that is shown. */
  readonly hasGainsOfOther = $derived(
    this.#leftOut !== null && this.plan !== null && !this.#isShown(this.#leftOut),
  );

  /** The plan by scheme, the largest first. */
  readonly parts = $derived.by(() => {
    const parts: Record<string, { label: string; layers: number; bytes: number }> = {};
    for (const { scheme, bytes } of this.shares) {
      const label = scheme === null ? 'kept' : describeScheme(scheme);
      const part = (parts[label] ??= { label, layers: 0, bytes: 0 });
      part.layers++;
      part.bytes += bytes;
    }
    return Object.values(parts).sort((a, b) => b.bytes - a.bytes);
  });

  constructor(workbench: Host) {
    this.#workbench = workbench;
  }

  get isLeavingOut(): boolean {
    return this.#leavingOut !== null;
  }

  /** Another model is open. */
  reset(): void {
    this.#abort?.abort();
    this.#abort = null;
    this.isMeasuring = false;
    this.#forget();
    this.sized = {};
    this.maxBytes = 0;
    this.candidates = null;
    this.by = 'weights';
    this.error = null;
    this.isCancelled = false;
  }

  /** Forget what was measured, and every plan of it: the next one is of other errors, schemes or modes. */
  #forget(): void {
    this.#solving?.abort();
    this.#solving = null;
    this.#leavingOut?.abort();
    this.#leavingOut = null;
    this.#leftOut = null;
    this.budget = null;
    this.plan = null;
  }

  /** Plans are solved anew whenever the goal moves: the same choice is the same plan. */
  #isShown({ budget, plan }: LeftOut): boolean {
    return budget === this.budget && plan.chosen.join() === this.plan?.chosen.join();
  }

  /** Take or leave a candidate scheme, and measure anew. */
  async choose(name: string, isTaken: boolean): Promise<void> {
    const names = this.candidates ?? this.measured;
    this.candidates = isTaken ? [...names, name] : names.filter((each) => each !== name);
    await this.measure();
  }

  /** Count another error, and measure anew. */
  async setBy(by: 'weights' | 'outputs'): Promise<void> {
    if (this.by === by) return;
    this.by = by;
    await this.measure();
  }

  /** Ask how large the exports of A and B are, of recipes that have changed since. */
  async sizeSides(): Promise<void> {
    if (this.budget === null || this.measuredMode === null) return;
    try {
      await this.#sizeSides(this.measuredMode);
    } catch (error) {
      if (!isCancelled(error)) this.error = toErrorData(error);
    }
  }

  async #sizeSides(mode: ExportMode): Promise<void> {
    const { file, recipes, compare, client } = this.#workbench;
    if (file === null) return;
    const shown: readonly Side[] = compare ? ['a', 'b'] : ['a'];
    const sides = shown.filter((side) => {
      const known = this.sized[side];
      return known?.recipe !== recipes[side] || known.mode !== mode;
    });
    const sizes = await Promise.all(
      sides.map(async (side) => {
        const params = { handle: file.handle, recipe: plain(recipes[side]), mode };
        const { bytesAfter: bytes } = await client.request('previewExport', params);
        return [side, { recipe: recipes[side], mode, bytes }] as const;
      }),
    );
    if (this.#workbench.file === file) this.sized = { ...this.sized, ...Object.fromEntries(sizes) };
  }

  /** Solve for the goal as it is; a newer goal ends the solving of an older one. */
  solve(): Promise<void> {
    this.#solved = this.#solve();
    return this.#solved;
  }

  async #solve(): Promise<void> {
    const { file, client } = this.#workbench;
    if (file === null || this.budget === null) return;
    this.#solving?.abort();
    const abort = new AbortController();
    this.#solving = abort;
    try {
      const params = { handle: file.handle, goal: plain(this.goal) };
      const plan = await client.request('budgetPlan', params, { signal: abort.signal });
      if (this.#solving === abort) this.plan = plan;
    } catch (error) {
      if (!isCancelled(error)) this.error = toErrorData(error);
    }
  }

  /** Measure unless that is done, or under way. */
  async measureOnce(): Promise<void> {
    if (this.budget === null && !this.isMeasuring) await this.measure();
  }

  /** Measure under recipe A, whose exceptions and minimum size the plan keeps. */
  async measure(): Promise<void> {
    const { file, recipes, client, jobs, model, mode } = this.#workbench;
    if (file === null || model === null) return;
    this.#abort?.abort();
    const abort = new AbortController();
    this.#abort = abort;
    this.#forget();
    this.isMeasuring = true;
    this.isCancelled = false;
    this.error = null;
    if (this.maxBytes === 0) this.maxBytes = model.fileBytes;
    const job = new Job('Measuring schemes', () => {
      this.isCancelled = true;
      abort.abort();
    });
    try {
      const { budget, candidates } = await jobs.run(job, () =>
        client.request(
          'budget',
          {
            handle: file.handle,
            recipe: plain(recipes.a),
            mode,
            candidates: plain(this.candidates),
            outputs: this.by === 'outputs' ? this.#workbench.runs.wanted : null,
          },
          { signal: abort.signal, onProgress: (progress) => job.update(progress) },
        ),
      );
      await this.#sizeSides(mode);
      // Another model may have been opened meanwhile, or another measurement started.
      if (this.#abort !== abort) return;
      if (this.maxBytes === model.fileBytes) this.maxBytes = this.sized.a?.bytes ?? model.fileBytes;
      this.budget = budget;
      this.measured = candidates;
      this.measuredMode = mode;
      await this.solve();
    } catch (error) {
      if (this.#abort === abort && !isCancelled(error)) this.error = toErrorData(error);
    } finally {
      if (this.#abort === abort) this.isMeasuring = false;
    }
  }

  /** Measure the plan again for each layer, with that layer in float. */
  async leaveOut(): Promise<void> {
    const { file, client, jobs, runs } = this.#workbench;
    const { budget, plan, measuredMode: mode } = this;
    if (file === null || budget === null || plan === null || mode === null || this.isLeavingOut)
      return;
    const abort = new AbortController();
    const job = new Job('Leaving out each layer', () => abort.abort());
    const params = {
      ...{ handle: file.handle, recipe: plain(plan.recipe), mode },
      ...runs.wanted,
      inFloat: 'it' as const,
    };
    this.#leavingOut = abort;
    try {
      const table = await jobs.run(job, () =>
        client.request('sensitivity', params, {
          signal: abort.signal,
          onProgress: (progress) => job.update(progress),
        }),
      );
      if (this.#leavingOut === abort) this.#leftOut = { budget, plan, table };
    } catch (error) {
      if (this.#leavingOut === abort && !isCancelled(error)) this.error = toErrorData(error);
    } finally {
      if (this.#leavingOut === abort) this.#leavingOut = null;
    }
  }

  /** Make the plan a side's recipe, once it is that of the goal as it is. */
  async use(side: Side): Promise<void> {
    for (let solved; solved !== this.#solved; await solved) solved = this.#solved;
    if (this.plan !== null) this.#workbench.history.set(side, this.plan.recipe, 'budget');
  }
}
