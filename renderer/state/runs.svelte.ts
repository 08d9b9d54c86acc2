import type { ErrorData } from '../../shared/errors.ts';
import { toErrorData } from '../../shared/errors.ts';
import type { ChosenFile } from '../../shared/ipc.ts';
import type { ExportMode, Side, VerifyResult } from '../../shared/protocol.ts';
import type { Recipe } from '../../shared/recipe.ts';
import { recipeTitle } from '../format/schemes.ts';
import type { Listeners } from './engine-client.ts';
import { Job } from './jobs.svelte.ts';
import { plain } from './plain.ts';
import type { StoreHost } from './store-host.ts';

/** What is run beside the original: a side's recipe, or an exported file. */
export type Candidate = Side | 'file';
export const CANDIDATES: readonly Candidate[] = ['a', 'b', 'file'];

/** How one candidate answered, or why it did not. */
export interface Outcome {
  readonly title: string;
  /** The recipe that it was made with; null for a file. */
  readonly recipe: Recipe | null;
  readonly mode: ExportMode | null;
  readonly result: VerifyResult | null;
  readonly error: ErrorData | null;
}

/** What this store takes of the workbench. */
type Host = Pick<
  StoreHost,
  'model' | 'file' | 'recipes' | 'compare' | 'client' | 'jobs' | 'announcer' | 'api' | 'fail'
>;

/** The runs of a model and its quantized copies in onnxruntime. */
export class Runs {
  readonly #workbench: Host;
  samples = $state(4);
  seed = $state(0);
  /** A folder of samples; null for random ones. */
  inputs = $state.raw<ChosenFile | null>(null);
  /** The modes that A and B are exported in; null for the format's first. */
  readonly #modes: Record<Side, ExportMode | null> = $state({ a: null, b: null });
  outcomes = $state.raw<Readonly<Partial<Record<Candidate, Outcome>>>>({});
  isRunning = $state(false);

  constructor(workbench: Host) {
    this.#workbench = workbench;
  }

  /** Forget what was run: another model is open. */
  reset(): void {
    this.outcomes = {};
    this.inputs = null;
    this.#modes.a = this.#modes.b = null;
  }

  mode(side: Side): ExportMode {
    return this.#modes[side] ?? this.#workbench.model?.modes[0] ?? 'qdq';
  }

  setMode(side: Side, mode: ExportMode): void {
    this.#modes[side] = mode;
  }

  /** Whether an outcome is of a recipe or mode that is no longer set. */
  isStale(candidate: Candidate): boolean {
    const outcome = this.outcomes[candidate];
    if (outcome === undefined || candidate === 'file') return false;
    const { recipes } = this.#workbench;
    return outcome.recipe !== recipes[candidate] || outcome.mode !== this.mode(candidate);
  }

  async chooseInputs(): Promise<void> {
    const answer = await this.#workbench.api.inputsDialog();
    if (!answer.ok) this.#workbench.fail(answer.error);
    else if (answer.value !== null) this.inputs = answer.value;
  }

  /** Run the sides that are shown, one after the other. */
  async runSides(): Promise<void> {
    const workbench = this.#workbench;
    await this.#run(workbench.compare ? ['a', 'b'] : ['a'], (side, handle, listeners) => {
      const recipe = workbench.recipes[side];
      const mode = this.mode(side);
      const params = { handle, recipe: plain(recipe), mode, ...this.#inputs() };
      return {
        title: recipeTitle(recipe),
        recipe,
        mode,
        answer: workbench.client.request('run', params, listeners),
      };
    });
  }

  /** Run a file that was exported before. */
  async runFile(): Promise<void> {
    const workbench = this.#workbench;
    const chosen = await workbench.api.openDialog('file');
    if (!chosen.ok) return workbench.fail(chosen.error);
    const exported = chosen.value;
    if (exported === null) return;
    await this.#run(['file'], (_, handle, listeners) => {
      const params = { handle, exported: exported.handle, ...this.#inputs() };
      return {
        title: exported.label,
        recipe: null,
        mode: null,
        answer: workbench.client.request('verify', params, listeners),
      };
    });
  }

  #inputs(): { samples: number; seed: number; inputs: string | null } {
    return { samples: this.samples, seed: this.seed, inputs: this.inputs?.handle ?? null };
  }

  async #run<C extends Candidate>(
    candidates: readonly C[],
    start: (
      candidate: C,
      handle: string,
      listeners: Listeners,
    ) => Omit<Outcome, 'result' | 'error'> & { readonly answer: Promise<VerifyResult> },
  ): Promise<void> {
    const { file, jobs, announcer } = this.#workbench;
    if (file === null || this.isRunning) return;
    this.isRunning = true;
    const abort = new AbortController();
    try {
      for (const candidate of candidates) {
        const name = candidate === 'file' ? 'the file' : candidate.toUpperCase();
        const job = new Job(`Running ${name}`, () => abort.abort());
        const { answer, ...what } = start(candidate, file.handle, {
          signal: abort.signal,
          onProgress: (progress) => job.update(progress),
        });
        const settled = await jobs.run(job, () =>
          answer.then(
            (result) => ({ result, error: null }),
            (error: unknown) => ({ result: null, error: toErrorData(error) }),
          ),
        );
        // Another model may have been opened meanwhile.
        if (this.#workbench.file !== file) return;
        if (abort.signal.aborted) return announcer.say('Run cancelled');
        this.outcomes = { ...this.outcomes, [candidate]: { ...what, ...settled } };
        announcer.say(`${name} ran`);
      }
    } finally {
      this.isRunning = false;
    }
  }
}
