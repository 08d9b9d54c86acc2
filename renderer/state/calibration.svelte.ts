/* eslint-disable svelte/prefer-svelte-reactivity -- the maps are replaced as a whole, never changed */
import type {
  ActivationDetail,
  Calibrated,
  Calibrations,
  LayerActivation,
} from '../../shared/activations.ts';
import type { ImageSettings } from '../../shared/calibration-settings.ts';
import { toErrorData, type ErrorData } from '../../shared/errors.ts';
import type { ChosenFile } from '../../shared/ipc.ts';
import type { Progress, Requests, SampleInputs, Side } from '../../shared/protocol.ts';
import { choosesCodes, choosesRange, wantsEqualized, type Recipe } from '../../shared/recipe.ts';
import type { RangeMethod } from '../../shared/scheme.ts';
import { counted } from '../format/numbers.ts';
import { withActivationRange, withImages } from './activation-rules.ts';
import { isCancelled, type Listeners } from './engine-client.ts';
import type { Inspection } from './inspection.svelte.ts';
import { Job } from './jobs.svelte.ts';
import { plain } from './plain.ts';
import { SIDES } from './recipes.ts';
import type { StoreHost } from './store-host.ts';

/** What this store takes of the workbench. */
type Host = Pick<
  StoreHost,
  | 'model'
  | 'file'
  | 'mode'
  | 'exportMode'
  | 'recipes'
  | 'history'
  | 'compare'
  | 'client'
  | 'jobs'
  | 'announcer'
  | 'api'
  | 'nameOf'
> & { readonly inspection: Inspection };

type Layers = ReadonlyMap<number, LayerActivation>;

const NO_LAYERS: Readonly<Record<Side, Layers>> = { a: new Map(), b: new Map() };

const NEVER: Calibrations = { static: null, others: null };

/** Bins of the inspector's histogram. */
const BINS = 120;

/** Samples, what calibration found on them, and what the plans of A and B make of that. */
export class Calibration {
  readonly #workbench: Host;
  isOpen = $state(false);
  /** A folder of samples, or files; null for random ones. */
  inputs = $state.raw<readonly ChosenFile[] | null>(null);
  /** The folder that they are in, where one was chosen. */
  folder = $state.raw<ChosenFile | null>(null);
  isRandom = $state(false);
  samples = $state(64);
  seed = $state(0);
  /** What was understood of the chosen samples; null while that is not known. */
  described = $state.raw<Requests['describeSamples']['reply'] | null>(null);
  error = $state.raw<ErrorData | null>(null);
  job = $state.raw<Job | null>(null);
  /** What the open model is calibrated by. */
  #found = $state.raw(NEVER);
  /** The outputs of layers by the weights' numbers. */
  layers = $state.raw(NO_LAYERS);
  /** The output of the layer that the inspector shows. */
  detail = $state.raw<ActivationDetail | null>(null);
  #describing: AbortController | null = null;
  #listing: AbortController | null = null;
  #inspecting: AbortController | null = null;

  constructor(workbench: Host) {
    this.#workbench = workbench;
  }

  /** Another model is open, or the same one in a new engine. */
  reset(found: Calibrations = NEVER): void {
    this.#describing?.abort();
    this.inputs = null;
    this.folder = null;
    this.isRandom = false;
    this.described = this.error = null;
    this.#found = found;
    this.layers = NO_LAYERS;
    this.detail = null;
    this.isOpen = false;
  }

  /** The last calibration for the mode that samples are observed for. */
  get done(): Calibrated | null {
    return this.#found[this.#workbench.exportMode.calibrated === 'static' ? 'static' : 'others'];
  }

  /** Whether mode static has ranges to plan by. */
  get hasRanges(): boolean {
    return this.#found.static !== null;
  }

  /** Whether a recipe that is shown wants codes that are chosen on samples, of a model whose codes can be. */
  get choosesCodes(): boolean {
    const { model, recipes, compare } = this.#workbench;
    if (model?.takesMoments !== true) return false;
    return choosesCodes(recipes.a) || (compare && choosesCodes(recipes.b));
  }

  /** Whether the codes of a recipe wait for samples, and are the nearest ones until then. */
  get needsMoments(): boolean {
    return this.choosesCodes && (this.done?.weights ?? 0) === 0;
  }

  /** Whether a recipe that is shown wants equalized weights, and the model was calibrated without. */
  get needsEqualizing(): boolean {
    const { recipes, compare, model } = this.#workbench;
    const isWanted = wantsEqualized(recipes.a) || (compare && wantsEqualized(recipes.b));
    const found = this.#found.static;
    const isStatic = this.#workbench.mode === 'static' && model?.format === 'onnx';
    return isWanted && isStatic && found?.equalized?.isAsked === false;
  }

  /** Whether a recipe is of a copy of the model with equalized weights. */
  isEqualized({ equalize = false }: Recipe): boolean {
    const copies = this.#found.static?.equalized;
    if (equalize === false || this.#workbench.mode !== 'static') return false;
    return (equalize === true ? copies?.always : copies?.byOutputs) === true;
  }

  /** Whether ranges of activations are what is observed. */
  get takesRanges(): boolean {
    return this.#workbench.exportMode.calibrated === 'static';
  }

  /** What the dialog says the samples are. */
  get hasSamples(): boolean {
    return this.isRandom || this.inputs !== null;
  }

  async chooseFolder(): Promise<void> {
    const answer = await this.#workbench.api.inputsDialog();
    if (!answer.ok) this.error = answer.error;
    else if (answer.value !== null) {
      this.#take([answer.value]);
      this.folder = answer.value;
    }
  }

  /** Folders or files that were dropped. */
  async takeDropped(files: readonly File[]): Promise<void> {
    const chosen: ChosenFile[] = [];
    for (const file of files) {
      const answer = await this.#workbench.api.openDropped(file);
      if (!answer.ok) return void (this.error = answer.error);
      chosen.push(answer.value);
    }
    if (chosen.length > 0) this.#take(chosen);
  }

  /** Plan by ranges that were saved, in place of samples. */
  async openRanges(): Promise<void> {
    const { file, client, announcer, api } = this.#workbench;
    if (file === null || this.job !== null) return;
    const answer = await api.rangesDialog();
    if (!answer.ok) this.error = answer.error;
    if (!answer.ok || answer.value === null) return;
    const params = { handle: file.handle, file: answer.value.handle };
    const found = await this.#work(`Opening ${answer.value.label}`, (options) =>
      client.request('openRanges', params, options),
    );
    if (found === null || this.#workbench.file !== file) return;
    this.#found = { ...this.#found, static: found };
    announcer.say(`Ranges of ${counted(found.samples, 'sample')} opened`);
  }

  /** Save the ranges that mode static plans by. */
  async saveRanges(): Promise<void> {
    const { file, client, announcer, api } = this.#workbench;
    if (file === null) return;
    const stem = file.label.replace(/\.[^.]+$/, '');
    const answer = await api.saveDialog(file.handle, `${stem}.ranges.json`, 'ranges');
    if (!answer.ok) this.error = answer.error;
    if (!answer.ok || answer.value === null) return;
    try {
      const recipe = plain(this.#workbench.recipes.a);
      const target = answer.value.handle;
      await client.request('saveRanges', { handle: file.handle, target, recipe });
      announcer.say(`Saved ${answer.value.label}`);
    } catch (error) {
      this.error = toErrorData(error);
    }
  }

  chooseRandom(): void {
    this.isRandom = true;
    void this.describe();
  }

  #take(inputs: readonly ChosenFile[]): void {
    this.inputs = inputs;
    this.folder = null;
    this.isRandom = false;
    void this.describe();
  }

  /** Ask what the samples are understood as. */
  async describe(): Promise<void> {
    const { file, client } = this.#workbench;
    if (file === null || !this.hasSamples) return;
    this.#describing?.abort();
    const abort = new AbortController();
    this.#describing = abort;
    this.described = this.error = null;
    try {
      const params = { handle: file.handle, ...this.#wanted() };
      const found = await client.request('describeSamples', params, { signal: abort.signal });
      if (this.#describing !== abort) return;
      this.described = found;
    } catch (error) {
      if (this.#describing === abort && !isCancelled(error)) this.error = toErrorData(error);
    }
  }

  /** Set how pictures become inputs, in both recipes, and say what is understood then. */
  setImages(change: Partial<ImageSettings>): void {
    const { history } = this.#workbench;
    for (const side of SIDES)
      history.set(side, withImages(history.present[side], change), 'how pictures are prepared');
    void this.describe();
  }

  #wanted(): SampleInputs {
    const { inputs, isRandom, samples, seed } = this;
    return {
      inputs: isRandom || inputs === null ? null : inputs.map(({ handle }) => handle),
      ...{ samples, seed, recipe: plain(this.#workbench.recipes.a) },
    };
  }

  /** What recipes that are shown ask of the weights in mode static. */
  #equalizing(): { equalizes?: boolean; equalizeOf?: Recipe } {
    const { exportMode, recipes, compare } = this.#workbench;
    if (exportMode.calibrated !== 'static') return {};
    const shown = compare ? [recipes.a, recipes.b] : [recipes.a];
    const asking = shown.find(({ equalize }) => equalize === 'byOutputs');
    return {
      equalizes: shown.some(wantsEqualized),
      ...(asking === undefined ? {} : { equalizeOf: plain(asking) }),
    };
  }

  /** Observe the samples. */
  async run(): Promise<void> {
    const { file, client, announcer, exportMode, recipes, compare } = this.#workbench;
    const mode = exportMode.calibrated;
    if (file === null || this.job !== null) return;
    const { choosesCodes } = this;
    const { a, b } = recipes;
    const asking = choosesRange(a) || !compare ? a : b;
    const isAsked = mode === 'static' && choosesRange(asking);
    const params = {
      handle: file.handle,
      mode,
      choosesCodes,
      ...this.#wanted(),
      ...(isAsked ? { rangeOf: plain(asking) } : {}),
      ...this.#equalizing(),
    };
    const found = await this.#work('Calibrating', (options) =>
      client.request('calibrate', params, options),
    );
    if (found === null || this.#workbench.file !== file) return;
    this.#found = { ...this.#found, [mode === 'static' ? 'static' : 'others']: found };
    announcer.say(`Calibrated on ${counted(found.samples, 'sample')}`);
  }

  /** Do what takes a while as the dialog's job; null when it failed, which the dialog says, or was cancelled. */
  async #work<T>(label: string, work: (options: Listeners) => Promise<T>): Promise<T | null> {
    const { file, announcer, jobs } = this.#workbench;
    const abort = new AbortController();
    const job = new Job(label, () => abort.abort());
    this.job = job;
    this.error = null;
    try {
      const onProgress = (progress: Progress): void => job.update(progress);
      return await jobs.run(job, () => work({ signal: abort.signal, onProgress }));
    } catch (error) {
      if (isCancelled(error)) announcer.say('Calibration cancelled');
      else if (this.#workbench.file === file) this.error = toErrorData(error);
      return null;
    } finally {
      this.job = null;
    }
  }

  /** Ask anew what the plans make of each layer's output. */
  async refreshLayers(): Promise<void> {
    const { file, mode, recipes, compare, client } = this.#workbench;
    this.#listing?.abort();
    if (file === null || mode !== 'static' || !this.hasRanges) {
      this.layers = NO_LAYERS;
      return;
    }
    const abort = new AbortController();
    this.#listing = abort;
    try {
      const of = async (side: Side): Promise<Layers> => {
        const params = { handle: file.handle, recipe: plain(recipes[side]) };
        const found = await client.request('activations', params, { signal: abort.signal });
        return new Map(found.map((layer) => [layer.tensor, layer]));
      };
      const a = await of('a');
      const b = compare ? await of('b') : NO_LAYERS.b;
      if (this.#listing === abort) this.layers = { a, b };
    } catch {
      // The analysis of the same recipe says what is wrong.
    }
  }

  /** Ask anew about the output of the layer that the inspector shows. */
  async refreshDetail(): Promise<void> {
    const { file, mode, recipes, inspection, client } = this.#workbench;
    const { tensor, shownSide } = inspection;
    this.#inspecting?.abort();
    if (file === null || mode !== 'static' || !this.hasRanges || tensor === null) {
      this.detail = null;
      return;
    }
    const abort = new AbortController();
    this.#inspecting = abort;
    if (this.detail?.tensor !== tensor.id) this.detail = null;
    try {
      const recipe = plain(recipes[shownSide]);
      const params = { handle: file.handle, tensor: tensor.id, recipe, bins: BINS };
      const detail = await client.request('inspectActivation', params, { signal: abort.signal });
      if (this.#inspecting === abort) this.detail = detail;
    } catch {
      // The analysis of the same recipe says what is wrong.
    }
  }

  /** Make a range that of the shown layer's output: a rule for its operator. */
  setRange(side: Side, range: RangeMethod): void {
    const { detail } = this;
    if (detail === null) return;
    const { history, nameOf } = this.#workbench;
    const recipe = withActivationRange(history.present[side], detail.operator, range);
    history.set(
      side,
      recipe,
      `range of the output of ${nameOf.call(this.#workbench, detail.tensor)}`,
    );
  }
}
