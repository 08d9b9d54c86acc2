import * as fs from 'node:fs';
import { basename, dirname } from 'node:path';
import { candidateSchemes, type Budget } from '../../shared/budget-plan.ts';
import { AppError, toErrorData } from '../../shared/errors.ts';
import type {
  AnswerSlot,
  EngineState,
  ExportMode,
  ExportResult,
  FromEngine,
  Handle,
  MainToEngine,
  ModelSummary,
  Progress,
  RequestKind,
  Requests,
  RunInputs,
  SampleInputs,
  ShownAs,
  Side,
  ToEngine,
  VerifyResult,
} from '../../shared/protocol.ts';
import type { LayerErrors } from '../../shared/layer-errors.ts';
import { planWeights } from '../../shared/plan.ts';
import { isQuantizable } from '../../shared/model.ts';
import { parseRecipe } from '../../shared/recipe-file.ts';
import { defaultCandidates, measureBudget, planFile } from './budget.ts';
import { Grants } from './grants.ts';
import { FORMATS } from './formats/registry.ts';
import { thisComputer } from './computer/this-computer.ts';
import type { WorkerPool } from './pool.ts';
import { figuresOf } from './reports.ts';
import { MalformedRequest, readMessage } from './requests.ts';
import { budgetByOutputs, measureSensitivity } from './sensitivity.ts';
import type { CalibrationInputs } from './calibrate/prepared.ts';
import { countMatches } from './rule-counts.ts';
import type { Wanted } from './answers/kept-run.ts';
import type { Runtime } from './runtime/host.ts';
import { runHintsOf } from './runtime/run-hints.ts';
import {
  measureLayersOf,
  runBeside,
  runUnder,
  withExport,
  type Inputs,
} from './runtime/run-models.ts';
import { OpenModel } from './open-model.ts';
import type { RunOptions } from './run-options.ts';
import { Session } from './session.ts';
import { throttled } from './throttled.ts';
import type { Measurable } from './static-model.ts';

/** One end of a message channel, whatever kind: Electron's MessagePortMain or Node's MessagePort. */
export interface Port {
  post(message: FromEngine): void;
  onMessage(listener: (message: unknown) => void): void;
}

interface Running {
  readonly abort: AbortController;
  readonly side: Side | null;
  readonly kind: RequestKind;
}

interface Export {
  readonly abort: AbortController;
  /** Its target. */
  readonly path: string;
  readonly session: Session;
  readonly listeners: Set<(progress: Progress) => void>;
  readonly result: Promise<ExportResult>;
}

/** One request while it is answered. */
interface Call {
  readonly port: Port;
  readonly id: number;
  readonly abort: AbortController;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: Progress) => void;
}

type Reply<K extends RequestKind> = Promise<Requests[K]['reply']> | Requests[K]['reply'];

/** How each kind of request is answered; its parameters have been checked. */
type Handlers = {
  readonly [K in RequestKind]: (params: Requests[K]['params'], call: Call) => Reply<K>;
};

/** Answers the requests of pages. Paths come from main as grants; a page names them by handle only. */
export class EngineServer {
  private readonly pool: WorkerPool;
  private readonly runtime: Runtime;
  private readonly grants = new Grants();
  private readonly models = new Map<Handle, OpenModel>();
  /** The budget that was measured last of each model, which goals are solved in. */
  private readonly budgets = new WeakMap<Session, { budget: Budget; mode: ExportMode }>();
  /** Running exports, whichever page asked for them. */
  private readonly exports = new Map<number, Export>();
  private lastJob = 0;
  /** The requests of the page that was connected last. */
  private running: ReadonlyMap<number, Running> = new Map();
  private readonly onState: (state: EngineState) => void;

  /** @param onState told of the state whenever it changes */
  constructor(
    pool: WorkerPool,
    runtime: Runtime,
    onState: (state: EngineState) => void = () => undefined,
  ) {
    this.onState = onState;
    this.pool = pool;
    this.runtime = runtime;
  }

  grant(message: Extract<MainToEngine, { type: 'grant' }>): void {
    this.grants.add(message);
  }

  /** Stop running exports: their targets stay as they were. */
  cancelExports(): void {
    for (const { abort } of this.exports.values()) abort.abort();
  }

  /** Serve a page. It takes the place of the page before it, whose exports go on. */
  connect(port: Port): void {
    for (const { abort, kind } of this.running.values()) if (!OUTLIVING.has(kind)) abort.abort();
    const running = new Map<number, Running>();
    this.running = running;
    port.onMessage((message) => this.receive(port, running, message));
    port.post({ type: 'ready', workers: this.pool.size, formats: FORMATS });
  }

  /** A message that cannot be answered is ignored. */
  private receive(port: Port, running: Map<number, Running>, sent: unknown): void {
    try {
      const message = readMessage(sent);
      if (message === null) return;
      if (message.type === 'cancel') running.get(message.id)?.abort.abort();
      else if (!running.has(message.id)) void this.answer(port, running, message);
    } catch (error) {
      if (!(error instanceof MalformedRequest)) throw error;
      port.post({ type: 'error', id: error.id, error: error.toData() });
    }
  }

  private async answer(
    port: Port,
    running: Map<number, Running>,
    request: Extract<ToEngine, { type: 'request' }>,
  ): Promise<void> {
    const { id, kind } = request;
    const abort = new AbortController();
    const side = request.kind === 'analyze' ? request.params.side : null;
    // A newer recipe makes the report of the older one worthless.
    if (side !== null)
      for (const other of running.values()) if (other.side === side) other.abort.abort();
    running.set(id, { abort, side, kind });
    try {
      const result = await this.run(port, request, abort);
      port.post({ type: 'reply', id, result });
    } catch (error) {
      port.post({ type: 'error', id, error: toErrorData(error) });
    } finally {
      running.delete(id);
    }
  }

  private run(
    port: Port,
    { id, kind, params }: Extract<ToEngine, { type: 'request' }>,
    abort: AbortController,
  ): Reply<RequestKind> {
    const handler = this.handlers[kind] as (params: unknown, call: Call) => Reply<RequestKind>;
    return handler(params, {
      port,
      id,
      abort,
      signal: abort.signal,
      onProgress: throttled((progress) => port.post({ type: 'progress', id, progress })),
    });
  }

  private readonly handlers: Handlers = {
    open: ({ handle }) => this.open(handle),
    close: ({ handle }) => {
      this.close(handle);
      return null;
    },
    properties: ({ handle }) => this.session(handle).opened.properties(),
    analyze: (params, call) => this.analyze(params, call),
    inspect: ({ handle, tensor, a, b, mode, bins }, { signal }) => {
      const recipes = [parseRecipe(a), b === null ? null : parseRecipe(b)];
      return this.in(handle, mode).inspect(tensor, recipes, bins, signal, mode);
    },
    scales: ({ handle, tensor, recipe, mode }, { signal }) =>
      this.in(handle, mode).scales(tensor, parseRecipe(recipe), signal, mode),
    channels: ({ handle, tensor, recipe, mode }, { signal }) =>
      this.in(handle, mode).channels(tensor, parseRecipe(recipe), signal, mode),
    searchRanges: ({ handle, tensor, recipe, mode }, { signal }) =>
      this.in(handle, mode).searchRanges(tensor, parseRecipe(recipe), signal, mode),
    planWeights: ({ handle, recipe }) =>
      planWeights(this.session(handle).tensors, parseRecipe(recipe)),
    countMatches: ({ handle, matches }) => {
      const { rules } = parseRecipe({
        ...{ version: 1, name: '', default: null },
        rules: matches.map((match) => ({ match, scheme: null })),
      });
      const weights = this.session(handle).tensors.filter(isQuantizable);
      return countMatches(
        rules.map(({ match }) => match),
        weights,
      );
    },
    describeSamples: async ({ handle, ...wanted }, call) =>
      this.model(handle).describeSamples(await this.calibrationInputs(wanted), call),
    calibrate: async ({ handle, mode, choosesCodes, ...wanted }, call) => {
      const inputs = await this.calibrationInputs(wanted);
      return this.model(handle).calibrate({ ...inputs, mode, choosesCodes }, call);
    },
    openRanges: async ({ handle, file }, call) =>
      this.model(handle).openRanges(await this.grants.path(file, 'read'), call),
    saveRanges: async ({ handle, target }) => {
      this.model(handle).saveRanges(await this.grants.path(target, 'write'));
      return null;
    },
    activations: ({ handle, recipe }) =>
      this.model(handle).calibratedModel().layerActivations(parseRecipe(recipe)),
    inspectActivation: ({ handle, tensor, recipe, bins }) =>
      this.model(handle).calibratedModel().activation(tensor, parseRecipe(recipe), bins),
    previewExport: ({ handle, recipe, mode }, call) =>
      this.in(handle, mode).previewExport(parseRecipe(recipe), mode, call),
    export: (params, call) => this.export(params, call),
    replacedFiles: (params, call) => this.replacedFiles(params, call),
    budget: (params, call) => this.budget(params, call),
    budgetPlan: ({ handle, goal }, call) => {
      const { budget, mode } = this.measuredBudget(handle);
      return planFile(this.session(handle), budget, goal, mode, call);
    },
    dotProduct: (params, { signal }) => this.dotProduct(params, signal),
    computer: () => thisComputer(),
    verify: (params, call) => this.verify(params, call),
    run: (params, call) => this.runRecipe(params, call),
    answers: async ({ handle, slot, sample, shown }) =>
      this.model(handle)
        .answers.run(slot)
        .sample(sample, await this.wantedAnswers(shown)),
    agreement: async ({ handle, slot, shown }, { signal }) =>
      this.model(handle)
        .answers.run(slot)
        .totals(await this.wantedAnswers(shown), signal),
    layerErrors: (params, call) => this.layerErrors(params, call),
    running: () => this.runningWork(),
    follow: ({ job }, call) => this.follow(job, call),
  };

  private async analyze(
    params: Requests['analyze']['params'],
    { port, id, signal, onProgress }: Call,
  ): Promise<Requests['analyze']['reply']> {
    const { total } = await this.in(params.handle, params.mode).analyze(
      parseRecipe(params.recipe),
      {
        signal,
        onProgress,
        mode: params.mode,
        first: params.first,
        withScales: false,
        onStatistics: (statistics) => port.post({ type: 'statistics', id, statistics }),
        onReports: (reports) => {
          for (let at = 0; at < reports.length; at += 2000)
            port.post({
              type: 'reports',
              id,
              reports: reports.slice(at, at + 2000).map(figuresOf),
            });
        },
      },
    );
    return total;
  }

  private async export(
    { handle, recipe, mode, target, overwrite }: Requests['export']['params'],
    { abort, signal, onProgress }: Call,
  ): Promise<Requests['export']['reply']> {
    const path = await this.grants.path(target, 'write');
    const wanted = parseRecipe(recipe);
    const session = this.session(handle);
    const listeners = new Set([onProgress]);
    const result = this.in(handle, mode).export(wanted, mode, path, {
      signal,
      onProgress: (progress) => listeners.forEach((listener) => listener(progress)),
      overwrite,
    });
    const job = ++this.lastJob;
    this.exports.set(job, { abort, path, session, listeners, result });
    this.tellState();
    try {
      return await result;
    } finally {
      this.exports.delete(job);
      this.tellState();
    }
  }

  /** The file that is open and the exports that run: a page that was reloaded asks for them. */
  private runningWork(): Requests['running']['reply'] {
    const handle = [...this.models.keys()].at(-1);
    const file = handle === undefined ? undefined : this.grants.pathOf(handle);
    return {
      open: handle === undefined || file === undefined ? null : { handle, label: basename(file) },
      exports: [...this.exports].map(([job, { path }]) => ({ job, label: basename(path) })),
    };
  }

  /** Answers as the export does. To cancel it cancels the export. */
  private follow(job: number, { signal, onProgress }: Call): Promise<Requests['follow']['reply']> {
    const running = this.exports.get(job);
    if (running === undefined)
      throw new AppError('BAD_USAGE', 'that export is not running', {
        field: 'job',
        found: String(job),
      });
    running.listeners.add(onProgress);
    signal.addEventListener('abort', () => running.abort.abort(), { once: true });
    return running.result;
  }

  private async replacedFiles(
    { handle, recipe, mode, target }: Requests['replacedFiles']['params'],
    options: RunOptions,
  ): Promise<Requests['replacedFiles']['reply']> {
    const path = await this.grants.path(target, 'write');
    return this.in(handle, mode).replacedBy(parseRecipe(recipe), mode, path, options);
  }

  private tellState(): void {
    const sources = [...this.models.values()].flatMap(({ session }) =>
      session.opened.files.map(({ identity: { dev, ino } }) => ({ identity: { dev, ino } })),
    );
    this.onState({
      sources,
      exporting: [...this.exports.values()].map(({ path }) => dirname(path)),
    });
  }

  /** An exported model is one that was just written, or one that was chosen to be read. */
  private async verify(
    { handle, exported, keep, ...inputs }: Requests['verify']['params'],
    options: RunOptions,
  ): Promise<Requests['verify']['reply']> {
    const path = await this.grants.path(exported, 'read', 'write');
    const wanted = await this.runInputs(inputs);
    return this.keeping(handle, keep, (keeping) =>
      runBeside(this.session(handle), this.runtime, path, { ...wanted, ...keeping }, options),
    );
  }

  private async runRecipe(
    { handle, recipe, mode, keep, ...inputs }: Requests['run']['params'],
    options: RunOptions,
  ): Promise<Requests['run']['reply']> {
    const wanted = await this.runInputs(inputs);
    const under = { recipe: parseRecipe(recipe), mode, exporter: this.in(handle, mode) };
    return this.keeping(handle, keep, (keeping) =>
      runUnder(this.session(handle), this.runtime, under, { ...wanted, ...keeping }, options),
    );
  }

  /** Run a model, and keep its outputs in a slot where one is given. */
  private keeping(
    handle: Handle,
    slot: AnswerSlot | undefined,
    work: (inputs: Pick<Inputs, 'keep'>) => Promise<VerifyResult>,
  ): Promise<VerifyResult> {
    if (slot === undefined) return work({});
    const { answers, session } = this.model(handle);
    const { opened } = session;
    const facts = { runtime: runHintsOf(opened).runtime, model: opened.files[0]!.path };
    return answers.keep(slot, facts, (keep) => work({ keep }));
  }

  private async wantedAnswers(shown: readonly ShownAs[]): Promise<readonly Wanted[]> {
    const wanted: Wanted[] = [];
    for (const { output, kind, names, order } of shown) {
      const namesFile = names === null ? null : await this.grants.path(names, 'read');
      wanted.push({ output, kind, namesFile, order });
    }
    return wanted;
  }

  private async layerErrors(
    { handle, of, ...inputs }: Requests['layerErrors']['params'],
    options: RunOptions,
  ): Promise<Requests['layerErrors']['reply']> {
    const [session, wanted] = [this.session(handle), await this.runInputs(inputs)];
    const measure = (exported: string): Promise<LayerErrors> =>
      measureLayersOf(session, this.runtime, exported, wanted, options);
    if ('exported' in of) return measure(await this.grants.path(of.exported, 'read', 'write'));
    const under = {
      recipe: parseRecipe(of.recipe),
      mode: of.mode,
      exporter: this.in(handle, of.mode),
    };
    return withExport(session, under, options, measure);
  }

  private async budget(
    { handle, recipe, mode, candidates, outputs }: Requests['budget']['params'],
    options: RunOptions,
  ): Promise<Requests['budget']['reply']> {
    const session = this.session(handle);
    const names = candidates ?? defaultCandidates(session);
    const request = { base: parseRecipe(recipe), mode, candidates: candidateSchemes(names) };
    let budget = await measureBudget(session, request, options);
    if (outputs !== null) {
      const wanted = { mode, inputs: await this.runInputs(outputs) };
      const found = await measureSensitivity(session, this.runtime, budget, wanted, options);
      budget = budgetByOutputs(budget, found);
    }
    this.budgets.set(session, { budget, mode });
    return { budget, candidates: names };
  }

  private measuredBudget(handle: Handle): { budget: Budget; mode: ExportMode } {
    const measured = this.budgets.get(this.session(handle));
    if (measured !== undefined) return measured;
    throw new AppError('BAD_USAGE', 'no budget of this model is measured', {
      field: 'handle',
      found: handle,
    });
  }

  private dotProduct(
    { of, length, seed }: Requests['dotProduct']['params'],
    signal: AbortSignal,
  ): Promise<Requests['dotProduct']['reply']> {
    if (of !== null) return this.session(of.handle).dotProduct(of.tensor, length, seed, signal);
    const params = { files: [], tensor: null, length, seed };
    return this.pool.run('dot', params, { signal, what: 'random vectors', urgent: true });
  }

  private async runInputs({ samples, seed, inputs }: RunInputs): Promise<Inputs> {
    const folder = inputs === null ? null : await this.grants.path(inputs, 'read');
    return { samples, seed, inputs: folder };
  }

  private async open(handle: Handle): Promise<ModelSummary> {
    const current = this.models.get(handle);
    // A page that was reloaded opens what is open: its export must not lose the file.
    if (current !== undefined && this.isExporting(current.session)) return summaryOf(current);
    this.close(handle);
    const session = Session.open(await this.grants.path(handle, 'read'), this.pool);
    this.models.set(handle, new OpenModel(session, this.pool, this.runtime));
    this.tellState();
    return session.summary();
  }

  private isExporting(session: Session): boolean {
    return [...this.exports.values()].some((running) => running.session === session);
  }

  private close(handle: Handle): void {
    this.models.get(handle)?.close();
    if (this.models.delete(handle)) this.tellState();
  }

  private model(handle: Handle): OpenModel {
    const model = this.models.get(handle);
    if (model === undefined)
      throw new AppError('BAD_USAGE', 'that model is not open', { field: 'handle', found: handle });
    return model;
  }

  private session(handle: Handle): Session {
    return this.model(handle).session;
  }

  /** What answers for a model in a mode. */
  private in(handle: Handle, mode: ExportMode): Measurable {
    return this.model(handle).in(mode);
  }

  /** One handle may be a folder; several are files. */
  private async calibrationInputs({
    inputs,
    samples,
    seed,
    recipe,
  }: SampleInputs): Promise<CalibrationInputs> {
    const { calibration } = parseRecipe(recipe);
    const paths =
      inputs === null
        ? null
        : await Promise.all(inputs.map((handle) => this.grants.path(handle, 'read')));
    const [first] = paths ?? [];
    const isFolder = paths?.length === 1 && isDirectory(first!);
    return {
      ...{ inputs: isFolder ? first! : paths, samples, limit: samples, seed },
      settings: calibration,
    };
  }
}

function summaryOf({ session, calibrations }: OpenModel): ModelSummary {
  const isNew = calibrations.static === null && calibrations.others === null;
  return { ...session.summary(), ...(isNew ? {} : { calibrated: calibrations }) };
}

function isDirectory(file: string): boolean {
  return fs.statSync(file, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** Requests that go on when their page is gone: an export, and to follow one, whose end would cancel the export. */
const OUTLIVING: ReadonlySet<RequestKind> = new Set(['export', 'follow']);
