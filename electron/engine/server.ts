import { dirname } from 'node:path';
import { candidateSchemes, type Budget, type Goal } from '../../shared/budget-plan.ts';
import { MAX_DOT_LENGTH } from '../../shared/dot-product.ts';
import { AppError, toErrorData } from '../../shared/errors.ts';
import type {
  EngineState,
  ExportMode,
  FromEngine,
  Handle,
  MainToEngine,
  ModelSummary,
  RequestKind,
  Requests,
  RunInputs,
  Side,
  ToEngine,
} from '../../shared/protocol.ts';
import { parseRecipe, type Recipe } from '../../shared/recipe.ts';
import { defaultCandidates, measureBudget, planFile } from './budget.ts';
import { FORMATS } from './formats/registry.ts';
import { thisComputer } from './computer/this-computer.ts';
import type { WorkerPool } from './pool.ts';
import type { Runtime } from './runtime/host.ts';
import { runBeside, runUnder, type Inputs } from './runtime/run-models.ts';
import { Session, type RunOptions } from './session.ts';

/** One end of a message channel, whatever kind: Electron's MessagePortMain or Node's MessagePort. */
export interface Port {
  post(message: FromEngine): void;
  onMessage(listener: (message: ToEngine) => void): void;
}

interface Running {
  readonly abort: AbortController;
  readonly side: Side | null;
}

/** Answers the requests of pages. Paths come from main as grants; a page names them by handle only. */
export class EngineServer {
  private readonly pool: WorkerPool;
  private readonly runtime: Runtime;
  private readonly grants = new Map<Handle, { path: string; use: 'read' | 'write' }>();
  /** Requests that came before the grant of their file: main and the page speak over different channels. */
  private readonly waiting = new Map<Handle, () => void>();
  private readonly sessions = new Map<Handle, Session>();
  /** The budget that was measured last of each model, which goals are solved in. */
  private readonly budgets = new WeakMap<Session, { budget: Budget; mode: ExportMode }>();
  /** Running exports, and the folders that they write to. */
  private readonly exports = new Map<AbortController, string>();
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
    this.grants.set(message.handle, { path: message.path, use: message.use });
    this.waiting.get(message.handle)?.();
  }

  /** Stop running exports: their targets stay as they were. */
  cancelExports(): void {
    for (const abort of this.exports.keys()) abort.abort();
  }

  connect(port: Port): void {
    const running = new Map<number, Running>();
    port.onMessage((message) => {
      if (message.type === 'cancel') running.get(message.id)?.abort.abort();
      else void this.answer(port, running, message);
    });
    port.post({ type: 'ready', workers: this.pool.size, formats: FORMATS });
  }

  private async answer(
    port: Port,
    running: Map<number, Running>,
    request: Extract<ToEngine, { type: 'request' }>,
  ): Promise<void> {
    const { id } = request;
    const abort = new AbortController();
    const side = request.kind === 'analyze' ? request.params.side : null;
    // A newer recipe makes the report of the older one worthless.
    if (side !== null)
      for (const other of running.values()) if (other.side === side) other.abort.abort();
    running.set(id, { abort, side });
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
    request: Extract<ToEngine, { type: 'request' }>,
    abort: AbortController,
  ): Promise<Requests[RequestKind]['reply']> | Requests[RequestKind]['reply'] {
    const { id } = request;
    const { signal } = abort;
    const options: RunOptions = {
      signal,
      onProgress: throttled((progress) => port.post({ type: 'progress', id, progress })),
    };
    switch (request.kind) {
      case 'open':
        return this.open(request.params.handle);
      case 'close':
        this.close(request.params.handle);
        return null;
      case 'analyze':
        return this.analyze(port, id, request.params, options);
      case 'inspect': {
        const { handle, tensor, a, b, mode, bins } = request.params;
        const recipes = [parseRecipe(a), b === null ? null : parseRecipe(b)];
        return this.session(handle).inspect(tensor, recipes, checkedBins(bins), signal, mode);
      }
      case 'searchRanges': {
        const { handle, tensor, recipe } = request.params;
        return this.session(handle).searchRanges(tensor, parseRecipe(recipe), signal);
      }
      case 'previewExport': {
        const { handle, recipe, mode } = request.params;
        return this.session(handle).previewExport(parseRecipe(recipe), mode, options);
      }
      case 'export':
        return this.export(request.params, options, abort);
      case 'replacedFiles':
        return this.replacedFiles(request.params, options);
      case 'budget':
        return this.budget(request.params, options);
      case 'budgetPlan': {
        const { handle, goal } = request.params;
        const { budget, mode } = this.measuredBudget(handle);
        return planFile(this.session(handle), budget, checkedGoal(goal), mode, options);
      }
      case 'dotProduct':
        return this.dotProduct(request.params, signal);
      case 'computer':
        return thisComputer();
      case 'verify':
        return this.verify(request.params, options);
      case 'run':
        return this.runRecipe(request.params, options);
      default:
        throw new AppError('BAD_USAGE', 'the engine knows no such request', {
          field: 'kind',
          found: String((request as { kind: unknown }).kind),
        });
    }
  }

  private async analyze(
    port: Port,
    id: number,
    params: { handle: Handle; recipe: Recipe; mode: ExportMode; first: readonly number[] },
    options: RunOptions,
  ): Promise<Requests['analyze']['reply']> {
    const { total } = await this.session(params.handle).analyze(parseRecipe(params.recipe), {
      ...options,
      mode: params.mode,
      first: params.first,
      onStatistics: (statistics) => port.post({ type: 'statistics', id, statistics }),
      onReports: (reports) => {
        for (let at = 0; at < reports.length; at += 2000)
          port.post({ type: 'reports', id, reports: reports.slice(at, at + 2000).map(brief) });
      },
    });
    return total;
  }

  private async export(
    { handle, recipe, mode, target, overwrite }: Requests['export']['params'],
    options: RunOptions,
    abort: AbortController,
  ): Promise<Requests['export']['reply']> {
    const path = await this.path(target, 'write');
    const wanted = parseRecipe(recipe);
    const session = this.session(handle);
    this.exports.set(abort, dirname(path));
    this.tellState();
    try {
      return await session.export(wanted, mode, path, { ...options, overwrite });
    } finally {
      this.exports.delete(abort);
      this.tellState();
    }
  }

  private async replacedFiles(
    { handle, recipe, mode, target }: Requests['replacedFiles']['params'],
    options: RunOptions,
  ): Promise<Requests['replacedFiles']['reply']> {
    const path = await this.path(target, 'write');
    return this.session(handle).replacedBy(parseRecipe(recipe), mode, path, options);
  }

  private tellState(): void {
    const sources = [...this.sessions.values()].flatMap(({ opened }) =>
      opened.files.map(({ identity: { dev, ino } }) => ({ identity: { dev, ino } })),
    );
    this.onState({ sources, exporting: [...this.exports.values()] });
  }

  /** An exported model is one that was just written, or one that was chosen to be read. */
  private async verify(
    { handle, exported, ...inputs }: Requests['verify']['params'],
    options: RunOptions,
  ): Promise<Requests['verify']['reply']> {
    const path = await this.path(exported, 'read', 'write');
    const wanted = await this.runInputs(inputs);
    return runBeside(this.session(handle), this.runtime, path, wanted, options);
  }

  private async runRecipe(
    { handle, recipe, mode, ...inputs }: Requests['run']['params'],
    options: RunOptions,
  ): Promise<Requests['run']['reply']> {
    const wanted = await this.runInputs(inputs);
    const under = { recipe: parseRecipe(recipe), mode };
    return runUnder(this.session(handle), this.runtime, under, wanted, options);
  }

  private async budget(
    { handle, recipe, mode, candidates }: Requests['budget']['params'],
    options: RunOptions,
  ): Promise<Requests['budget']['reply']> {
    const session = this.session(handle);
    const names = candidates ?? defaultCandidates(session);
    const request = { base: parseRecipe(recipe), mode, candidates: candidateSchemes(names) };
    const budget = await measureBudget(session, request, options);
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
    const [count, from] = [checkedLength(length), checkedSeed(seed)];
    if (of !== null) return this.session(of.handle).dotProduct(of.tensor, count, from, signal);
    const params = { files: [], tensor: null, length: count, seed: from };
    return this.pool.run('dot', params, { signal, what: 'random vectors', urgent: true });
  }

  private async runInputs({ samples, seed, inputs }: RunInputs): Promise<Inputs> {
    const folder = inputs === null ? null : await this.path(inputs, 'read');
    return { samples: checkedSamples(samples), seed: checkedSeed(seed), inputs: folder };
  }

  private async open(handle: Handle): Promise<ModelSummary> {
    this.close(handle);
    const session = Session.open(await this.path(handle, 'read'), this.pool);
    this.sessions.set(handle, session);
    this.tellState();
    return session.summary();
  }

  private close(handle: Handle): void {
    this.sessions.get(handle)?.close();
    if (this.sessions.delete(handle)) this.tellState();
  }

  private session(handle: Handle): Session {
    const session = this.sessions.get(handle);
    if (session === undefined)
      throw new AppError('BAD_USAGE', 'that model is not open', { field: 'handle', found: handle });
    return session;
  }

  private async path(handle: Handle, ...uses: readonly ('read' | 'write')[]): Promise<string> {
    if (!this.grants.has(handle)) await this.grantOf(handle);
    const grant = this.grants.get(handle);
    if (grant === undefined || !uses.includes(grant.use))
      throw new AppError(
        'BAD_USAGE',
        `no file was granted to ${uses.join(' or ')} under that handle`,
        {
          field: 'handle',
          found: String(handle),
        },
      );
    return grant.path;
  }

  /** Settles when the handle is granted, or after a while in which any grant on its way has come. */
  private async grantOf(handle: Handle): Promise<void> {
    const earlier = this.waiting.get(handle);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, GRANT_WAIT_MS);
      this.waiting.set(handle, () => {
        clearTimeout(timer);
        earlier?.();
        resolve();
      });
    });
    this.waiting.delete(handle);
  }
}

/** How long a request waits for the grant of its file. */
const GRANT_WAIT_MS = 1000;

/** Rows show the span of scales only; a tensor of a million channels must not send them all for each row. */
const SCALES_IN_A_ROW = 64;

function brief<
  T extends { readonly scale: readonly number[]; readonly zeroPoint: readonly number[] },
>(report: T): T {
  if (report.scale.length <= SCALES_IN_A_ROW) return report;
  return {
    ...report,
    scale: report.scale.slice(0, SCALES_IN_A_ROW),
    zeroPoint: report.zeroPoint.slice(0, SCALES_IN_A_ROW),
  };
}

function checkedBins(bins: number): number {
  if (Number.isInteger(bins) && bins >= 1 && bins <= 4096) return bins;
  throw new AppError('BAD_USAGE', 'no such number of bins', {
    field: 'bins',
    found: String(bins),
    expected: '1 to 4096',
  });
}

function checkedSamples(samples: number): number {
  if (Number.isInteger(samples) && samples >= 1 && samples <= 1000) return samples;
  throw new AppError('BAD_USAGE', 'no such number of samples', {
    field: 'samples',
    found: String(samples),
    expected: '1 to 1000',
  });
}

function checkedLength(length: number): number {
  if (Number.isInteger(length) && length >= 1 && length <= MAX_DOT_LENGTH) return length;
  throw new AppError('BAD_USAGE', 'no such length of a vector', {
    field: 'length',
    found: String(length),
    expected: `1 to ${MAX_DOT_LENGTH}`,
  });
}

function checkedGoal(goal: Goal): Goal {
  const value: unknown = 'maxBytes' in goal ? goal.maxBytes : goal.minSqnrDb;
  if (typeof value === 'number' && Number.isFinite(value)) return goal;
  throw new AppError('BAD_USAGE', 'the goal of a budget must be a number', {
    field: 'goal',
    found: String(value),
    expected: 'bytes or dB',
  });
}

function checkedSeed(seed: number): number {
  if (Number.isSafeInteger(seed) && seed >= 0) return seed;
  throw new AppError('BAD_USAGE', 'no such seed', {
    field: 'seed',
    found: String(seed),
    expected: 'a whole number from 0',
  });
}

/** At most one call in 50 ms: the page draws no more often. The last value of a burst is kept, and sent late. */
function throttled<T>(call: (value: T) => void): (value: T) => void {
  let last = -Infinity;
  let pending: { readonly value: T } | null = null;
  const send = (value: T): void => {
    last = performance.now();
    pending = null;
    call(value);
  };
  return (value) => {
    const wait = last + 50 - performance.now();
    if (wait <= 0) send(value);
    else {
      if (pending === null) setTimeout(() => pending !== null && send(pending.value), wait).unref();
      pending = { value };
    }
  };
}
