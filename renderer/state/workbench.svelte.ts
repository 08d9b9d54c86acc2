import { AppError, toErrorData } from '../../shared/errors.ts';
import { commandFacts, type MenuCommand } from '../../shared/commands.ts';
import type { FormatFacts } from '../../shared/formats.ts';
import {
  type AppInfo,
  type ChosenFile,
  type Hint,
  HINTS,
  type MainEvent,
  type PageApi,
  type Result,
  type Settings,
  type Theme,
} from '../../shared/ipc.ts';
import type { NumberStyle } from '../../shared/number-styles.ts';
import type { ModelProperties } from '../../shared/properties.ts';
import type { ExportMode } from '../../shared/exports.ts';
import type { ModelSummary } from '../../shared/protocol.ts';
import { findPreset } from '../../shared/presets.ts';
import type { Recipe, Rule } from '../../shared/recipe.ts';
import { isRecipeFile, parseRecipe } from '../../shared/recipe-file.ts';
import { VIEWS, type View } from '../../shared/views.ts';
import { copyText } from '../components/clipboard.ts';
import { modelFacts } from '../format/models.ts';
import { setNumberStyle } from '../format/number-marks.svelte.ts';
import { plainText } from '../format/typed-numbers.ts';
import { Analyses } from './analyses.svelte.ts';
import { Announcer } from './announcer.svelte.ts';
import { Budgeting } from './budgeting.svelte.ts';
import { valueOf } from './call.ts';
import { Calibration } from './calibration.svelte.ts';
import { EngineClient, isCancelled } from './engine-client.ts';
import { EngineLink } from './engine-link.ts';
import { ExportModeChoice } from './export-mode.svelte.ts';
import { Inspection } from './inspection.svelte.ts';
import { Job, Jobs } from './jobs.svelte.ts';
import { Lab } from './lab.svelte.ts';
import { plain } from './plain.ts';
import type { Problem } from './problem.ts';
import { RecipeHistory } from './recipe-history.svelte.ts';
import { RecipeFiles } from './recipe-files.ts';
import { firstRecipes, sameRecipe } from './recipes.ts';
import { Rows } from './rows.svelte.ts';
import { Runs } from './runs.svelte.ts';
import { Selection } from './selection.svelte.ts';
import { ModelRules } from './model-rules.ts';
import type { AppDialog } from './shortcuts.ts';
import { firstRow, rowNames } from './table.ts';
import { untilAborted } from './until-aborted.ts';

declare global {
  interface Window {
    readonly quantscope: PageApi;
  }
}

/** Whoever waits longer does something else meanwhile, and is told when it ends. */
const LONG_EXPORT_SECONDS = 10;

/** The view of a model that was just opened. */
const [{ name: FIRST_VIEW }] = VIEWS;

/** Everything the window shows and does. One for the page's life; a model comes and goes. */
export class Workbench {
  readonly api = window.quantscope;
  readonly client = new EngineClient((workers, formats) => {
    this.workers = workers;
    this.formats = formats;
  });
  readonly #link = new EngineLink(this.api, this.client);
  readonly announcer = new Announcer();
  readonly jobs = new Jobs((job, isDone) => {
    if (job.isExport && job.seconds >= LONG_EXPORT_SECONDS)
      void this.api.exportEnded(isDone, job.label);
  });
  readonly history = new RecipeHistory(this.announcer, (change) => this.#changeRecipes(change));
  readonly analyses = new Analyses(this);
  readonly sides = this.analyses.sides;
  readonly selection = new Selection();
  readonly inspection = new Inspection(this);
  readonly calibration: Calibration = new Calibration(this);
  readonly runs: Runs = new Runs(this);
  readonly budgeting = new Budgeting(this);
  readonly rows = new Rows(this);
  readonly lab = new Lab();

  info = $state.raw<AppInfo | null>(null);
  workers = $state(0);
  /** What the engine opens. */
  formats = $state.raw<readonly FormatFacts[]>([]);
  file = $state.raw<ChosenFile | null>(null);
  model = $state.raw<ModelSummary | null>(null);
  problem = $state.raw<Problem | null>(null);
  /** The recipe file that was opened while no model was. */
  recipeForNext = $state<string | null>(null);
  view = $state<View>(FIRST_VIEW);
  compare = $state(true);
  theme = $state<Theme>('system');
  /** Hints that were dismissed for good. */
  hints = $state.raw<readonly Hint[]>(HINTS);
  exportOpen = $state(false);
  whyOpen = $state(false);
  /** The dialog that is about the app, not about the model. */
  dialog = $state<AppDialog | null>(null);
  /** Moves when the search field is to be focused. */
  findRequests = $state(0);
  readonly exportMode: ExportModeChoice = new ExportModeChoice(this);
  /** The export mode whose plan is measured and shown. */
  readonly mode: ExportMode = $derived(this.exportMode.measured);
  readonly recipes = $derived(this.history.present);
  /** The name of each tensor on screen. */
  readonly names = $derived(rowNames(this.model?.tensors ?? []));
  /** The name on screen by the name in the model. */
  readonly #named = $derived(
    Object.fromEntries(this.model?.tensors.map(({ id, name }) => [name, this.names[id]]) ?? []),
  );
  readonly #modelRules = new ModelRules();
  readonly recipeFiles = new RecipeFiles(this, this.#modelRules, (name) => {
    if (this.model === null) this.recipeForNext = name;
  });

  /** Restore settings, reach the engine, and open what the command line named. */
  async start(): Promise<void> {
    this.api.onEvent((event) => this.#onEvent(event));
    await this.#link.start(this.#restored());
    // A recipe file that was given takes the place of what was restored.
    const [initial, { open, exports }] = await Promise.all([
      valueOf(this.api.takeInitialFile()),
      this.client.request('running', null),
    ]);
    for (const { job, label } of exports) void this.#follow(job, label);
    if (initial !== null) await this.open(initial);
    // The engine knows no folders that people are shown.
    else if (open !== null) await this.open({ ...open, folder: '' });
  }

  async #restored(): Promise<void> {
    const [info, settings] = await Promise.all([
      valueOf(this.api.info()),
      valueOf(this.api.getSettings()),
    ]);
    this.info = info;
    this.#restore(settings);
  }

  /** Show an export that the page before a reload started, until it ends. */
  async #follow(exported: number, label: string): Promise<void> {
    const abort = new AbortController();
    const job = new Job(`Exporting ${label}`, () => abort.abort(), {
      isFirst: true,
      isExport: true,
    });
    try {
      await this.jobs.run(job, () =>
        this.client.request(
          'follow',
          { job: exported },
          { signal: abort.signal, onProgress: (progress) => job.update(progress) },
        ),
      );
      this.announcer.say(`Exported ${label}`);
    } catch (error) {
      if (isCancelled(error)) this.announcer.say('Export cancelled');
      else this.fail(error);
    }
  }

  /** The name of a tensor on screen. */
  nameOf(tensor: number): string {
    return this.names[tensor] ?? '';
  }

  /** The name on screen of the tensor that the model calls so; that same name where there is none. */
  nameOfTensor(name: string): string {
    return Object.hasOwn(this.#named, name) ? (this.#named[name] ?? name) : name;
  }

  async openDialog(kind: 'file' | 'folder' = 'file'): Promise<void> {
    await this.#openFrom(this.api.openDialog(kind));
  }

  async openSample(): Promise<void> {
    await this.#openFrom(this.api.openSample());
  }

  async openRecent(id: string): Promise<void> {
    await this.#openFrom(this.api.openRecent(id));
  }

  async openDropped(file: File): Promise<void> {
    await this.#openFrom(this.api.openDropped(file));
  }

  /** Open a model and report it under both recipes. What was open stays when it cannot be opened. */
  async open(file: ChosenFile): Promise<void> {
    const abort = new AbortController();
    const job = new Job(`Opening ${file.label}`, () => abort.abort());
    const { losses } = this.#link;
    try {
      const model = await this.jobs.run(job, () =>
        untilAborted(this.#requestOpen(file), abort.signal, () => this.#closeUnseen(file)),
      );
      const before = this.model?.tensors.filter(({ isMade }) => isMade !== true).length;
      const isSame = this.file?.handle === file.handle && before === model.tensors.length;
      if (!isSame) this.#close(file);
      this.file = file;
      this.model = model;
      this.recipeForNext = null;
      this.calibration.reset(model.calibrated);
      const dropped = this.#dropRules(this.#modelRules.belongTo(file.label, model));
      this.problem = null;
      this.analyses.reset(model.tensors);
      if (!isSame) this.selection.select(firstRow(model, this.recipes.a));
      // Not by the view that follows: it is drawn first, and for the same file of a new engine nothing has changed.
      void this.inspection.refresh();
      const facts = modelFacts(model);
      const note = dropped ? '. The rules made for the model before were dropped' : '';
      this.announcer.say(`${file.label} opened: ${facts}${note}`);
      void this.api.describeRecent(file.handle, facts, model.fileBytes);
      this.analyzeBoth();
    } catch (error) {
      if (isCancelled(error)) this.announcer.say(`Opening ${file.label} cancelled`);
      else await this.#failOpen(file, error, this.#link.losses > losses);
    }
  }

  async #requestOpen(file: ChosenFile): Promise<ModelSummary> {
    await this.#link.ready();
    return this.client.request('open', { handle: file.handle });
  }

  /** A model was opened after all, that nobody waits for. */
  #closeUnseen({ handle }: ChosenFile): void {
    if (handle !== this.file?.handle)
      void this.client.request('close', { handle }).catch(() => undefined);
  }

  /** @param isLost whether the engine ended meanwhile; the file that may have ended it is not opened again */
  async #failOpen(file: ChosenFile, error: unknown, isLost: boolean): Promise<void> {
    const before = this.file;
    // The engine has lost the file that was open before, too.
    if (isLost && before !== null && before.handle !== file.handle) await this.open(before);
    const told = isLost
      ? new AppError('WORKER_DIED', 'the engine stopped while it opened this file; open another', {
          file: file.label,
        })
      : error;
    this.fail(told, { label: 'Open another…', run: () => void this.openDialog() });
  }

  settings(): Promise<Settings> {
    return valueOf(this.api.getSettings());
  }

  changeSettings(changes: Partial<Settings>): void {
    if (changes.theme !== undefined) this.theme = changes.theme;
    if (changes.hints !== undefined) this.hints = changes.hints;
    if (changes.numbers !== undefined) this.#setNumbers(changes.numbers);
    void this.api.setSettings(changes);
  }

  /** Writes every figure, and what stands in the lab's field, in a language of numbers. */
  #setNumbers(style: NumberStyle): void {
    const number = plainText(this.lab.text);
    setNumberStyle(style, this.info?.numberLocale ?? '');
    this.lab.set(number);
  }

  async copyDiagnostics(): Promise<void> {
    try {
      const text = await valueOf(this.api.diagnostics());
      if (!copyText(text)) throw new AppError('INTERNAL', 'the diagnostics were not copied');
      this.announcer.say('Diagnostics copied');
    } catch (error) {
      this.fail(error);
    }
  }

  /** What the open file says of the model as a whole. */
  properties(): Promise<ModelProperties> {
    return this.client.request('properties', { handle: this.file?.handle ?? '' });
  }

  /** How many weights of the open model each rule would match; null where that takes too long. @throws AppError */
  countMatches(matches: readonly Rule['match'][]): Promise<readonly (number | null)[]> {
    return this.client.request('countMatches', { handle: this.file?.handle ?? '', matches });
  }

  closeModel(): void {
    this.#close();
    this.problem = null;
  }

  /** Reach the engine again and open the file anew: recipes and selection stay. */
  async reopen(): Promise<void> {
    await this.#link.connect();
    if (this.file !== null) await this.open(this.file);
    else this.problem = null;
  }

  /** A file that was dropped: a recipe becomes A, anything else is opened as a model. */
  async drop(file: File): Promise<void> {
    if (isRecipeFile(file.name)) return this.recipeFiles.openDropped(file);
    return this.openDropped(file);
  }

  setCompare(on: boolean): void {
    this.compare = on;
    if (!on) {
      this.analyses.stop('b');
      if (VIEWS.some(({ name, needsCompare }) => needsCompare && name === this.view))
        this.view = FIRST_VIEW;
    } else void this.analyses.run('b');
    void this.api.setSettings({ compare: on });
  }

  /** Measure and show what an export in another mode would store. */
  setMode(mode: ExportMode): void {
    const before = this.mode;
    this.exportMode.ask(mode);
    if (this.mode !== before) this.#measureAnew();
  }

  /** Open the dialog that calibrates the model. */
  calibrate(): void {
    const { modes = [], takesMoments = false } = this.model ?? {};
    if (modes.includes('static') || takesMoments) this.calibration.isOpen = true;
  }

  /** Observe samples, or open ranges: then the mode has plans now, or others than before. */
  async runCalibration(by: 'samples' | 'ranges'): Promise<void> {
    const { done } = this.calibration;
    const mode = this.exportMode.calibrated;
    await (by === 'samples' ? this.calibration.run() : this.calibration.openRanges());
    if (this.calibration.done === done) return;
    // Who judges the export looks at real samples as well, unless others were chosen.
    const { folder, isRandom } = this.calibration;
    if (by === 'samples' && !isRandom) this.runs.inputs ??= folder;
    this.exportMode.ask(mode);
    this.#measureAnew();
  }

  /** What was measured in another mode is of another plan. */
  #measureAnew(): void {
    this.analyses.reset(this.model?.tensors ?? []);
    this.analyzeBoth();
  }

  /** Show a view, with B where it needs B; nothing happens without the model that it needs. */
  show(view: View): void {
    const facts = VIEWS.find(({ name }) => name === view);
    if (facts === undefined || (facts.needsModel && this.model === null)) return;
    if (facts.needsCompare && !this.compare) this.setCompare(true);
    this.view = view;
  }

  setTheme(theme: Theme): void {
    // Main tells the window's whole chrome, and with it the page's colour scheme.
    this.theme = theme;
    void this.api.setSettings({ theme });
  }

  /** The theme may have been changed in the window's menu. */
  async refreshTheme(): Promise<void> {
    this.theme = (await this.settings()).theme;
  }

  /** Make the prepared copy of the model, and tell of the tensors that only it has. @throws AppError */
  async prepare(): Promise<void> {
    const { file } = this;
    if (file === null) return;
    const abort = new AbortController();
    const job = new Job(`Preparing ${file.label}`, () => abort.abort());
    const { tensors, preparation } = await this.jobs.run(job, () =>
      this.client.request(
        'prepare',
        { handle: file.handle },
        { signal: abort.signal, onProgress: (progress) => job.update(progress) },
      ),
    );
    const { model } = this;
    if (this.file !== file || model === null || model.preparation !== undefined) return;
    this.model = { ...model, preparation, tensors: [...model.tensors, ...tensors] };
    this.analyses.grow(this.model.tensors);
  }

  analyzeBoth(): void {
    void this.analyses.run('a');
    if (this.compare) void this.analyses.run('b');
  }

  fail(error: unknown, command: Problem['command'] = null): void {
    const data = toErrorData(error);
    this.problem = { error: data, command };
    this.announcer.alert(data.message);
  }

  /** What failed can be tried again with the file opened anew. */
  failAnalysis(error: unknown): void {
    this.fail(error, this.#reopenCommand());
  }

  /** Carry out a command; nothing happens without the model that it needs. */
  command(command: MenuCommand): void {
    if (commandFacts(command).needsModel && this.model === null) return;
    switch (command) {
      case 'open':
        return void this.openDialog();
      case 'open-folder':
        return void this.openDialog('folder');
      case 'export':
        this.exportOpen = true;
        return;
      case 'open-recipe':
        return void this.recipeFiles.open('a');
      case 'save-recipe':
        return void this.recipeFiles.save('a');
      case 'close':
        return this.closeModel();
      case 'find':
        this.view = 'layers';
        this.findRequests++;
        return;
      case 'undo':
      case 'redo':
        // In a text field the menu's command is about its text.
        if (document.activeElement instanceof HTMLInputElement) document.execCommand(command);
        else this.history[command]();
        return;
      case 'calibrate':
        return this.calibrate();
      case 'compare':
        return this.setCompare(!this.compare);
      case 'diagnostics':
        return void this.copyDiagnostics();
      default:
        this.dialog = command;
    }
  }

  /** Make a change of the recipes, and measure what it changed. */
  #changeRecipes(change: () => void): void {
    const { mode, recipes: before } = this;
    change();
    const after = this.recipes;
    if (this.mode !== mode) this.#measureAnew();
    else
      for (const side of ['a', 'b'] as const) {
        if (before[side] === after[side]) continue;
        if (side === 'a' || this.compare) void this.analyses.run(side);
      }
    this.#saveRecipes();
  }

  /** Let go of the model that is open. `next` is open already: where it is the same file, the engine keeps it. */
  #close(next: ChosenFile | null = null): void {
    if (this.file !== null && this.file.handle !== next?.handle && this.client.connected)
      void this.client.request('close', { handle: this.file.handle }).catch(() => undefined);
    this.analyses.reset([]);
    this.file = null;
    this.model = null;
    this.exportMode.ask(null);
    this.selection.clear();
    this.runs.reset();
    this.calibration.reset();
    this.budgeting.reset();
    this.view = FIRST_VIEW;
    this.exportOpen = false;
    this.whyOpen = false;
    this.dialog = null;
    const { a, b } = this.recipes;
    this.history.restart({ a, b });
  }

  /** Rules made for another model name its layers: only those of recipe files stay. @returns whether any went */
  #dropRules(belong: boolean): boolean {
    const { a, b } = this.recipes;
    const kept = { a: this.#modelRules.without(a), b: this.#modelRules.without(b) };
    const drops = !belong && !(sameRecipe(a, kept.a) && sameRecipe(b, kept.b));
    if (drops) this.history.restart(kept);
    this.#saveRecipes();
    return drops;
  }

  #saveRecipes(): void {
    const { a, b } = this.recipes;
    const rules = this.#modelRules.stored({ a, b });
    void this.api.setSettings({ recipeA: plain(a), recipeB: plain(b), rules: plain(rules) });
  }

  #restore(settings: Settings): void {
    const stored = (value: unknown, fallback: Recipe): Recipe => {
      try {
        return value === null ? fallback : parseRecipe(value);
      } catch {
        return fallback; // A recipe of a version that is no more; the first one stands in.
      }
    };
    const first = firstRecipes();
    this.history.restart({
      a: findPreset(settings.preset ?? '') ?? stored(settings.recipeA, first.a),
      b: stored(settings.recipeB, first.b),
    });
    this.#modelRules.restore(this.recipes, settings.rules);
    this.compare = settings.compare;
    this.theme = settings.theme;
    this.hints = settings.hints;
    this.#setNumbers(settings.numbers);
  }

  #onEvent(event: MainEvent): void {
    if (event.type === 'open-file') void this.open(event.file);
    else if (event.type === 'open-recipe') void this.recipeFiles.openHanded(event.recipe);
    else if (event.type === 'show') this.show(event.view);
    else if (event.type === 'command') this.command(event.command);
    else {
      this.#link.lose(event.error);
      this.fail(AppError.fromData(event.error), this.#reopenCommand());
      if (event.isRestarted) void this.#link.connect().catch((error: unknown) => this.fail(error));
    }
  }

  #reopenCommand(): Problem['command'] {
    return { label: this.file === null ? 'Restart' : 'Reopen', run: () => void this.reopen() };
  }

  async #openFrom(choice: Promise<Result<ChosenFile | null>>): Promise<void> {
    try {
      const file = await valueOf(choice);
      if (file !== null) await this.open(file);
    } catch (error) {
      this.fail(error);
    }
  }
}
