import type { ErrorData } from '../../shared/errors.ts';
import { AppError, toErrorData } from '../../shared/errors.ts';
import type { Side, TensorSummary } from '../../shared/protocol.ts';
import type { TensorDetail } from '../../shared/report.ts';
import { isCancelled } from './engine-client.ts';
import { plain, type Workbench } from './workbench.svelte.ts';

const BINS = 120;

/** What the inspector shows of the current tensor. The old detail stays, marked stale, until the new one is there. */
export class Inspection {
  readonly #workbench: Workbench;
  #running: AbortController | null = null;
  detail = $state.raw<TensorDetail | null>(null);
  error = $state.raw<ErrorData | null>(null);
  stale = $state(false);
  /** Whose mapping, levels and scales the sections show. */
  side = $state<Side>('a');

  constructor(workbench: Workbench) {
    this.#workbench = workbench;
  }

  get tensor(): TensorSummary | null {
    const { model, selection } = this.#workbench;
    return selection.current === null ? null : (model?.tensors[selection.current] ?? null);
  }

  /** The side shown: A while B is off. */
  get shownSide(): Side {
    return this.#workbench.compare ? this.side : 'a';
  }

  /** Ask anew for the current tensor under the recipes as they are. Called when any of them changes. */
  async refresh(): Promise<void> {
    const { file, recipes, compare, client } = this.#workbench;
    const { tensor } = this;
    this.#running?.abort();
    if (file === null || tensor === null || !isFloat(tensor)) {
      this.detail = null;
      this.error = null;
      this.stale = false;
      return;
    }
    const abort = new AbortController();
    this.#running = abort;
    if (this.detail?.tensor !== tensor.id) this.detail = null;
    this.stale = true;
    try {
      const params = {
        handle: file.handle,
        tensor: tensor.id,
        a: plain(recipes.a),
        b: compare ? plain(recipes.b) : null,
        bins: BINS,
      };
      const detail = await client.request('inspect', params, { signal: abort.signal });
      if (this.#running !== abort) return;
      this.detail = detail;
      this.error = null;
      this.stale = false;
    } catch (error) {
      if (this.#running !== abort || isCancelled(error)) return;
      const data = error instanceof AppError ? error.toData() : toErrorData(error);
      // That the engine is gone is said once, under the top bar.
      this.error = data.code === 'WORKER_DIED' ? null : data;
      this.stale = false;
    }
  }
}

/** Whether there are float values to look at: all of them, where they are stored one after the other. */
export function isFloat({ dtype, elements, fixed }: TensorSummary): boolean {
  return /^(b?float16|float32|float64)$/.test(dtype) && elements > 0 && fixed === undefined;
}
