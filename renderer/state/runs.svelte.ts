import type { ErrorData } from '../../shared/errors.ts';
import { toErrorData } from '../../shared/errors.ts';
import type { ChosenFile } from '../../shared/ipc.ts';
import type { LayerError, LayerErrors, LayerPart } from '../../shared/layer-errors.ts';
import { isPrepared, type ExportMode } from '../../shared/exports.ts';
import type { AnswerSlot, Handle, RunInputs, Side } from '../../shared/protocol.ts';
import type { VerifyResult } from '../../shared/verification.ts';
import type { Recipe } from '../../shared/recipe.ts';
import { recipeTitle } from '../format/schemes.ts';
import { isCancelled, type Listeners } from './engine-client.ts';
import { Answers } from './answers.svelte.ts';
import { Job } from './jobs.svelte.ts';
import { plain } from './plain.ts';
import type { StoreHost } from './store-host.ts';

/** What is run beside the original: a side's recipe, or an exported file. */
export type Candidate = AnswerSlot;
export const CANDIDATES: readonly Candidate[] = ['a', 'b', 'file'];

/** How one candidate answered, or why it did not. */
export interface Outcome<T = VerifyResult> {
  readonly title: string;
  /** The recipe that it was made with; null for a file. */
  readonly recipe: Recipe | null;
  readonly mode: ExportMode | null;
  /** The file that ran; null for a recipe. */
  readonly exported: Handle | null;
  readonly result: T | null;
  readonly error: ErrorData | null;
}

type Outcomes<T> = Readonly<Partial<Record<Candidate, Outcome<T>>>>;

/** What this store takes of the workbench. */
type Host = Pick<
  StoreHost,
  | 'model'
  | 'file'
  | 'recipes'
  | 'mode'
  | 'compare'
  | 'client'
  | 'jobs'
  | 'announcer'
  | 'api'
  | 'fail'
  | 'prepare'
>;

/** What is said while a candidate runs and when it ends. */
interface Words {
  readonly doing: string;
  readonly done: string;
}
const RUNNING: Words = { doing: 'Running', done: ' ran' };
const MEASURING: Words = { doing: 'Measuring the layers of', done: ': layers measured' };

type What = Omit<Outcome, 'result' | 'error'>;

/** The errors of layers by the numbers of their weights. */
function byWeight(errors: LayerErrors | null): ReadonlyMap<number, LayerError> {
  return new Map(errors?.layers.flatMap((layer) => layer.tensors.map((id) => [id, layer])) ?? []);
}

/** The runs of a model and its quantized copies in the runtime of its format. */
export class Runs {
  readonly #workbench: Host;
  samples = $state(4);
  seed = $state(0);
  /** A folder of samples; null for random ones. */
  inputs = $state.raw<ChosenFile | null>(null);
  /** What of an export the errors of layers are of; null for all of it. */
  part = $state<LayerPart | null>(null);
  /** The modes that A and B are exported in; null for the one whose plan is shown. */
  readonly #modes: Record<Side, ExportMode | null> = $state({ a: null, b: null });
  outcomes = $state.raw<Outcomes<VerifyResult>>({});
  /** The errors of the layers, where they were measured. */
  layers = $state.raw<Outcomes<LayerErrors>>({});
  isRunning = $state(false);
  /** What is run now, where that is not the model as a whole. */
  isMeasuringLayers = $state(false);
  /** What was answered, sample by sample. */
  readonly answers: Answers;
  /** The errors of each side's layers by the numbers of their weights. */
  readonly layerErrors = $derived({
    a: byWeight(this.layers.a?.result ?? null),
    b: byWeight(this.layers.b?.result ?? null),
  });

  constructor(workbench: Host) {
    this.#workbench = workbench;
    this.answers = new Answers(workbench, () => this.answered);
  }

  /** The candidates whose outputs are kept, as they are shown. */
  get answered(): readonly Candidate[] {
    return CANDIDATES.filter(
      (each) =>
        (each !== 'b' || this.#workbench.compare) && (this.outcomes[each]?.result?.kept ?? 0) > 0,
    );
  }

  /** Forget what was run: another model is open. */
  reset(): void {
    this.outcomes = {};
    this.layers = {};
    this.answers.reset();
    this.inputs = null;
    this.#modes.a = this.#modes.b = null;
    this.part = null;
  }

  mode(side: Side): ExportMode {
    return this.#modes[side] ?? this.#workbench.mode;
  }

  setMode(side: Side, mode: ExportMode): void {
    this.#modes[side] = mode;
  }

  /** Whether an outcome is of a recipe or mode that is no longer set. */
  isStale(candidate: Candidate, outcomes: Outcomes<unknown> = this.outcomes): boolean {
    const outcome = outcomes[candidate];
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
    const { client } = this.#workbench;
    await this.#run(this.#sides(), RUNNING, (side, handle, listeners) => {
      const { recipe, mode, what } = this.#under(side);
      const params = { handle, recipe: plain(recipe), mode, keep: side, ...this.wanted };
      return { ...what, answer: client.request('run', params, listeners) };
    });
  }

  /** Whether weights and activations can be measured apart: those of static exports, and of files that may be such. */
  get hasParts(): boolean {
    if (this.#workbench.model?.runtime !== 'onnxruntime') return false;
    return (
      this.outcomes.file !== undefined || this.#sides().some((side) => this.mode(side) === 'static')
    );
  }

  /** Measure a part of the rounding alone. */
  async setPart(part: LayerPart | null): Promise<void> {
    if (this.part === part) return;
    this.part = part;
    // What was measured is of another part.
    this.layers = {};
    await this.measureLayers();
  }

  /** Measure the layers of the sides that are shown, and of the file that ran. */
  async measureLayers(): Promise<void> {
    const { client } = this.#workbench;
    // Layers are told of by tensors of the prepared copy, which has some of its own.
    if (!(await this.#knowsTensors())) return;
    const file = this.outcomes.file;
    const exported = file?.exported ?? null;
    const candidates = [...this.#sides(), ...(exported === null ? [] : ['file' as const])];
    const keep = (candidate: Candidate, outcome: Outcome<LayerErrors>): void => {
      this.layers = { ...this.layers, [candidate]: outcome };
    };
    await this.#run<Candidate, LayerErrors>(
      candidates,
      MEASURING,
      (candidate, handle, listeners) => {
        const under = candidate === 'file' ? null : this.#under(candidate);
        const of =
          under === null
            ? { exported: exported! }
            : { recipe: plain(under.recipe), mode: under.mode };
        const what = under === null ? { ...file!, exported } : under.what;
        const params = { handle, of, only: this.part, ...this.wanted };
        return { ...what, answer: client.request('layerErrors', params, listeners) };
      },
      keep,
    );
  }

  /** Whether the tensors of what is measured are known, once the prepared copy is made where one is measured. */
  async #knowsTensors(): Promise<boolean> {
    const { model, recipes } = this.#workbench;
    const isOfCopy = this.#sides().some((side) => isPrepared(recipes[side], this.mode(side)));
    if (!isOfCopy || model?.runtime !== 'onnxruntime' || model.preparation !== undefined)
      return true;
    try {
      await this.#workbench.prepare();
      return true;
    } catch (error) {
      if (!isCancelled(error)) this.#workbench.fail(error);
      return false;
    }
  }

  #sides(): readonly Side[] {
    return this.#workbench.compare ? ['a', 'b'] : ['a'];
  }

  #under(side: Side): { recipe: Recipe; mode: ExportMode; what: What } {
    const [recipe, mode] = [this.#workbench.recipes[side], this.mode(side)];
    return { recipe, mode, what: { title: recipeTitle(recipe), recipe, mode, exported: null } };
  }

  /** Run a file that was exported before. */
  async runFile(): Promise<void> {
    const workbench = this.#workbench;
    const chosen = await workbench.api.openDialog('file');
    if (!chosen.ok) return workbench.fail(chosen.error);
    const file = chosen.value;
    if (file === null) return;
    await this.#run(['file'], RUNNING, (_, handle, listeners) => {
      const exported = file.handle;
      const params = { handle, exported, keep: 'file' as const, ...this.wanted };
      const what = { title: file.label, recipe: null, mode: null, exported };
      return { ...what, answer: workbench.client.request('verify', params, listeners) };
    });
  }

  /** What models are run on, as the Run view says. */
  get wanted(): RunInputs {
    const { calibration } = this.#workbench.recipes.a;
    return {
      samples: this.samples,
      seed: this.seed,
      inputs: this.inputs?.handle ?? null,
      // As the model is calibrated: these settings are set in both recipes.
      ...(calibration === undefined ? {} : { calibration: plain(calibration) }),
    };
  }

  async #run<C extends Candidate, T = VerifyResult>(
    candidates: readonly C[],
    { doing, done }: Words,
    start: (
      candidate: C,
      handle: string,
      listeners: Listeners,
    ) => What & { readonly answer: Promise<T> },
    keep: (candidate: C, outcome: Outcome<T>) => void = (candidate, outcome) => {
      this.outcomes = { ...this.outcomes, [candidate]: outcome };
      const { kept = 0 } = (outcome.result ?? {}) as Partial<VerifyResult>;
      if (kept > 0) void this.answers.ran(candidate, kept);
    },
  ): Promise<void> {
    const { file, jobs, announcer } = this.#workbench;
    if (file === null || this.isRunning) return;
    this.isRunning = true;
    this.isMeasuringLayers = doing === MEASURING.doing;
    const abort = new AbortController();
    try {
      for (const candidate of candidates) {
        const name = candidate === 'file' ? 'the file' : candidate.toUpperCase();
        const job = new Job(`${doing} ${name}`, () => abort.abort());
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
        keep(candidate, { ...what, ...settled });
        announcer.say(`${name}${done}`);
      }
    } finally {
      this.isRunning = this.isMeasuringLayers = false;
    }
  }
}
