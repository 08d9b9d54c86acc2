import { AppError, type ErrorData, toErrorData } from '../../shared/errors.ts';
import type { Requests, Side, TensorSummary } from '../../shared/protocol.ts';
import type { Recipe } from '../../shared/recipe.ts';
import { isNarrow, scalingOf, type RangeMethod, type Scheme } from '../../shared/scheme.ts';
import type { RangeCandidate, TensorDetail } from '../../shared/report.ts';
import type { Channels } from '../../shared/channels.ts';
import type { Scales } from '../../shared/scales.ts';
import { rangeOfMethod } from '../charts/mapping.ts';
import { rangeWord, sameRange } from '../format/schemes.ts';
import { isCancelled } from './engine-client.ts';
import { overriddenNames, withOverrides } from './overrides.ts';
import { plain } from './plain.ts';
import type { StoreHost } from './store-host.ts';

const BINS = 120;

const NOT_SEARCHED = { key: '', ranges: [] };

function searchKey(handle: string, mode: string, tensor: number, scheme: Scheme): string {
  const symmetric = scalingOf(scheme)?.symmetric;
  return [handle, mode, tensor, scheme.dtype, symmetric, isNarrow(scheme)].join();
}

/** What this store takes of the workbench. */
type Host = Pick<
  StoreHost,
  'model' | 'file' | 'recipes' | 'mode' | 'compare' | 'client' | 'selection' | 'history' | 'nameOf'
>;

/** What the inspector shows of the current tensor. The old detail stays, marked stale, until the new one is there. */
export class Inspection {
  readonly #workbench: Host;
  #running: AbortController | null = null;
  /** What the request that runs is about. */
  #asked: readonly unknown[] | null = null;
  detail = $state.raw<TensorDetail | null>(null);
  error = $state.raw<ErrorData | null>(null);
  stale = $state(false);
  /** What mse and entropy would choose, and for which tensor, dtype and symmetry. */
  searched = $state.raw<{ readonly key: string; readonly ranges: readonly RangeCandidate[] }>(
    NOT_SEARCHED,
  );
  /** The SQNR in dB that ranges give which are not asked for, by their word. */
  laneDb = $state.raw<Readonly<Record<string, number | null>>>({});
  /** A recipe that is tried while a limit is dragged; it is set when the limit is let go. */
  #tried: { readonly side: Side; readonly recipe: Recipe } | null = null;
  #isTrying = false;
  #isOutdated = false;
  /** Whose mapping, levels and scales the sections show. */
  side = $state<Side>('a');

  constructor(workbench: Host) {
    this.#workbench = workbench;
  }

  /** The searched ranges that belong to what is shown. */
  get searchedRanges(): readonly RangeCandidate[] {
    const { file, mode } = this.#workbench;
    const scheme = this.detail?.[this.shownSide]?.report.scheme ?? null;
    if (file === null || scheme === null || this.detail === null) return [];
    const isShown = this.searched.key === searchKey(file.handle, mode, this.detail.tensor, scheme);
    return isShown ? this.searched.ranges : [];
  }

  get tensor(): TensorSummary | null {
    const { model, selection } = this.#workbench;
    return selection.current === null ? null : (model?.tensors[selection.current] ?? null);
  }

  /** The side shown: A while B is off. */
  get shownSide(): Side {
    return this.#workbench.compare ? this.side : 'a';
  }

  /** The weights' range of the current layer under a side's recipe, set by hand; what is shown follows. */
  async tryClip(side: Side, clip: readonly [number, number]): Promise<void> {
    const { tensor } = this;
    if (tensor === null) return;
    const recipe = withClip(this.#workbench.recipes[side], tensor.name, clip);
    this.#tried = { side, recipe };
    this.#isOutdated = true;
    // One request at a time: one that is cut short by the next would never show.
    if (this.#isTrying) return;
    this.#isTrying = true;
    while (this.#isOutdated) {
      this.#isOutdated = false;
      await this.refresh();
    }
    this.#isTrying = false;
  }

  /** Let the limit go: what was tried becomes the recipe. */
  setClip(side: Side, clip: readonly [number, number]): void {
    const { tensor } = this;
    this.#tried = null;
    this.#isOutdated = false;
    if (tensor === null) return;
    const recipe = withClip(this.#workbench.recipes[side], tensor.name, clip);
    this.#workbench.history.set(side, recipe, `range of ${this.#workbench.nameOf(tensor.id)}`);
  }

  /** Ask anew for the current tensor under the recipes as they are. Called when any of them changes. */
  async refresh(): Promise<void> {
    const { file, compare, mode, client } = this.#workbench;
    const tried = this.#tried;
    const recipes = { ...this.#workbench.recipes };
    if (tried !== null) recipes[tried.side] = tried.recipe;
    const { tensor } = this;
    const asked = [file, tensor, compare, mode, recipes.a, recipes.b];
    // Asked before the view is drawn, and by the view once it is.
    if (this.#isAsked(asked)) return;
    this.#running?.abort();
    this.#asked = null;
    if (file === null || tensor === null || !isFloat(tensor)) {
      this.detail = null;
      this.error = null;
      this.stale = false;
      return;
    }
    const abort = new AbortController();
    this.#running = abort;
    this.#asked = asked;
    if (this.detail?.tensor !== tensor.id) {
      this.detail = null;
      this.laneDb = {};
    }
    this.stale = true;
    try {
      const params = {
        handle: file.handle,
        tensor: tensor.id,
        a: plain(recipes.a),
        b: compare ? plain(recipes.b) : null,
        mode,
        bins: BINS,
      };
      const detail = await client.request('inspect', params, { signal: abort.signal });
      if (this.#running !== abort) return;
      this.detail = detail;
      this.error = null;
      this.stale = false;
      await this.#search(file.handle, detail, abort.signal);
      await this.#measureRanges(params, tensor, abort.signal);
    } catch (error) {
      if (this.#running !== abort || isCancelled(error)) return;
      const data = error instanceof AppError ? error.toData() : toErrorData(error);
      // That the engine is gone is said once, under the top bar.
      this.error = data.code === 'WORKER_DIED' ? null : data;
      this.stale = false;
    } finally {
      if (this.#asked === asked) this.#asked = null;
    }
  }

  /** Whether the engine is being asked for the current tensor under the recipes as they are. */
  get isCurrent(): boolean {
    const { file, compare, mode, recipes } = this.#workbench;
    return this.#isAsked([file, this.tensor, compare, mode, recipes.a, recipes.b]);
  }

  #isAsked(inputs: readonly unknown[]): boolean {
    return this.#asked?.every((each, at) => each === inputs[at]) === true;
  }

  /** Every scale of the current tensor under a side's recipe. @throws AppError */
  async scales(side: Side): Promise<Scales> {
    const { file, mode, client, recipes } = this.#workbench;
    if (file === null || this.detail === null) return { scale: [], zeroPoint: [] };
    const { tensor } = this.detail;
    const params = { handle: file.handle, tensor, recipe: plain(recipes[side]), mode };
    return client.request('scales', params);
  }

  /** Every channel of the current tensor under a side's recipe; null without a channel axis. @throws AppError */
  async channels(side: Side): Promise<Channels | null> {
    const { file, mode, client, recipes } = this.#workbench;
    if (file === null || this.detail === null) return null;
    const { tensor } = this.detail;
    const params = { handle: file.handle, tensor, recipe: plain(recipes[side]), mode };
    return client.request('channels', params);
  }

  /** Make a range that a recipe can ask for that of the current layer. */
  setRange(side: Side, range: RangeMethod): void {
    const { tensor } = this;
    if (tensor === null) return;
    const recipe = withRange(this.#workbench.recipes[side], tensor.name, range);
    this.#workbench.history.set(side, recipe, `range of ${this.#workbench.nameOf(tensor.id)}`);
  }

  /** Measure what each range costs that the shown side's recipe does not ask for. */
  async #measureRanges(
    params: Requests['inspect']['params'],
    tensor: TensorSummary,
    signal: AbortSignal,
  ): Promise<void> {
    const side = this.shownSide;
    const scheme = this.detail?.[side]?.report.scheme ?? null;
    const scaling = scheme === null ? null : scalingOf(scheme);
    if (this.#tried !== null) return;
    this.laneDb = {};
    if (scaling === null) return;
    const candidates = [...(this.detail?.ranges ?? []), ...this.searchedRanges];
    for (const { method } of candidates) {
      const range = rangeOfMethod(method);
      if (range === null || sameRange(range, scaling.range)) continue;
      const recipe = withRange(this.#workbench.recipes[side], tensor.name, range);
      const asked = { ...params, a: plain(recipe), b: null, bins: 1 };
      const { a } = await this.#workbench.client.request('inspect', asked, { signal });
      if (a !== null) this.laneDb = { ...this.laneDb, [rangeWord(range)]: a.report.sqnrDb };
    }
  }

  /** Search the ranges of the shown side's scheme, once for each dtype and symmetry. */
  async #search(handle: string, detail: TensorDetail, signal: AbortSignal): Promise<void> {
    const side = this.shownSide;
    const scheme = detail[side]?.report.scheme ?? null;
    if (scheme === null || scalingOf(scheme) === null || this.#tried !== null) return;
    const { client, recipes, mode } = this.#workbench;
    const key = searchKey(handle, mode, detail.tensor, scheme);
    if (this.searched.key === key) return;
    const params = { handle, tensor: detail.tensor, recipe: plain(recipes[side]), mode };
    const ranges = await client.request('searchRanges', params, { signal });
    this.searched = { key, ranges };
  }
}

/** The recipe with a range of one layer set by hand; the rest of its scheme stays what it is. */
function withClip(recipe: Recipe, name: string, clip: readonly [number, number]): Recipe {
  return withRange(recipe, name, { clip });
}

/** The recipe with the range of one layer; the rest of its scheme stays what it is. */
function withRange(recipe: Recipe, name: string, range: RangeMethod): Recipe {
  const own = recipe.rules.findLast((rule) => overriddenNames(rule)?.includes(name) === true);
  return withOverrides(recipe, [name], { ...own?.scheme, range });
}

/** Whether there are float values to look at: all of them, where they are stored one after the other. */
export function isFloat({ dtype, elements, fixed }: TensorSummary): boolean {
  return /^(b?float16|float32|float64)$/.test(dtype) && elements > 0 && fixed === undefined;
}
