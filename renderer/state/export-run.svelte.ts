import { type ErrorData, toErrorData } from '../../shared/errors.ts';
import type { ExportMode, ExportResult } from '../../shared/exports.ts';
import type { ChosenFile } from '../../shared/ipc.ts';
import type { Requests, RunInputs } from '../../shared/protocol.ts';
import type { Recipe } from '../../shared/recipe.ts';
import type { VerifyResult } from '../../shared/verification.ts';
import { byteSize } from '../format/numbers.ts';
import { isCancelled } from './engine-client.ts';
import { Job } from './jobs.svelte.ts';
import { plain } from './plain.ts';
import type { StoreHost } from './store-host.ts';

/** What this store takes of the workbench. */
type Host = Pick<StoreHost, 'api' | 'client' | 'jobs' | 'announcer'>;

/** What is exported. */
export interface ExportWanted {
  readonly file: ChosenFile;
  readonly recipe: Recipe;
  readonly mode: ExportMode;
  readonly integerOnly: boolean;
  /** The name that is offered for the file. */
  readonly suggested: string;
}

/** An export from the choice of its file to its verification, while its dialog is open. */
export class ExportRun {
  readonly #host: Host;
  target = $state.raw<ChosenFile | null>(null);
  error = $state.raw<ErrorData | null>(null);
  result = $state.raw<ExportResult | null>(null);
  verified = $state.raw<VerifyResult | null>(null);
  isVerifiedOnRandom = $state(true);
  /** The export or verification that runs. */
  job = $state.raw<Job | null>(null);
  /** From the click on Export until the export begins: a second click would begin another. */
  isAsking = $state(false);
  /** Files besides the target that the export replaces, once it was asked for. */
  replaced = $state.raw<readonly string[]>([]);

  constructor(host: Host) {
    this.#host = host;
  }

  /** What is to be exported has changed: what was written before is another file's. */
  forget(): void {
    this.error = null;
    this.result = null;
    this.verified = null;
    this.replaced = [];
  }

  /** The same, where the name that was chosen no longer fits. */
  restart(): void {
    this.forget();
    this.target = null;
  }

  show(problem: unknown): void {
    if (!isCancelled(problem)) this.error = toErrorData(problem);
  }

  async chooseTarget({ handle }: ChosenFile, suggested: string): Promise<void> {
    const answer = await this.#host.api.saveDialog(handle, suggested, 'model');
    if (!answer.ok) this.error = answer.error;
    else if (answer.value !== null) {
      this.forget();
      this.target = answer.value;
    }
  }

  /** Export, after a second click where that replaces more than the chosen file. */
  async write(wanted: ExportWanted): Promise<void> {
    this.isAsking = true;
    const params = await this.#confirmed(wanted).finally(() => (this.isAsking = false));
    const { target } = this;
    if (params === null || target === null) return;
    this.result = await this.#run(
      `Writing ${target.label}`,
      (job, signal) =>
        this.#host.client.request('export', params, {
          signal,
          onProgress: (progress) => job.update(progress),
        }),
      true,
    );
    if (this.result !== null)
      this.#host.announcer.say(`Exported ${target.label}, ${byteSize(this.result.bytesAfter)}`);
  }

  /** Run the file that was written beside the model. */
  async verify({ handle }: ChosenFile, inputs: RunInputs): Promise<void> {
    const { target } = this;
    if (target === null) return;
    const params = { handle, exported: target.handle, ...inputs };
    this.isVerifiedOnRandom = inputs.inputs === null;
    this.verified = await this.#run(`Running ${target.label}`, (job, signal) =>
      this.#host.client.request('verify', params, {
        signal,
        onProgress: (progress) => job.update(progress),
      }),
    );
  }

  showInFolder(): void {
    if (this.target !== null) void this.#host.api.showInFolder(this.target.handle);
  }

  /** What to ask of the engine; null when no target was chosen, or when a second click must confirm. */
  async #confirmed({
    file,
    recipe,
    mode,
    integerOnly,
    suggested,
  }: ExportWanted): Promise<Requests['export']['params'] | null> {
    if (this.target === null) await this.chooseTarget(file, suggested);
    const { target } = this;
    if (target === null) return null;
    const asked = { handle: file.handle, recipe: plain(recipe), mode, target: target.handle };
    this.error = null;
    const found = await this.#findReplaced(asked);
    if (found === null) return null;
    const isConfirmed = found.every((name) => this.replaced.includes(name));
    this.replaced = found;
    return isConfirmed ? { ...asked, overwrite: true, integerOnly } : null;
  }

  /** The files besides the target that the export would replace; null when that cannot be told. */
  async #findReplaced(
    params: Requests['replacedFiles']['params'],
  ): Promise<readonly string[] | null> {
    try {
      return await this.#host.client.request('replacedFiles', params);
    } catch (problem) {
      this.show(problem);
      return null;
    }
  }

  /** Run a request as a job of the status bar and of the dialog. */
  async #run<T>(
    title: string,
    work: (job: Job, signal: AbortSignal) => Promise<T>,
    isExport = false,
  ): Promise<T | null> {
    const { jobs, announcer } = this.#host;
    const abort = new AbortController();
    const running = new Job(title, () => abort.abort(), { isExport });
    this.job = running;
    this.error = null;
    try {
      return await jobs.run(running, () => work(running, abort.signal));
    } catch (problem) {
      if (isCancelled(problem)) announcer.say(`${title} cancelled`);
      this.show(problem);
      return null;
    } finally {
      this.job = null;
    }
  }
}
