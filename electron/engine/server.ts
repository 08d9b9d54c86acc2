import { toErrorData } from '../../shared/errors.ts';
import type { EngineState, MainToEngine } from '../../shared/processes.ts';
import type { RequestKind, Side, ToEngine } from '../../shared/protocol.ts';
import { thisComputer } from './computer/this-computer.ts';
import { FORMATS } from './formats/registry.ts';
import { Grants } from './grants.ts';
import { budgetHandlers } from './handlers/budgets.ts';
import { calibrationHandlers } from './handlers/calibration.ts';
import { exportHandlers } from './handlers/exports.ts';
import type { Call } from './handlers/call.ts';
import type { Handlers, Reply } from './handlers/handler.ts';
import { modelHandlers } from './handlers/models.ts';
import { OpenModels } from './handlers/open-models.ts';
import { RunningExports } from './handlers/running-exports.ts';
import { runHandlers } from './handlers/runs.ts';
import { weightHandlers } from './handlers/weights.ts';
import type { WorkerPool } from './pool.ts';
import type { Port } from './port.ts';
import { MalformedRequest, readMessage } from './requests.ts';
import type { Runtime } from './runtime/host.ts';
import { throttled } from './throttled.ts';

interface Running {
  readonly abort: AbortController;
  readonly side: Side | null;
  readonly kind: RequestKind;
}

/** Requests that go on when their page is gone: an export, and to follow one, whose end would cancel the export. */
const OUTLIVING: ReadonlySet<RequestKind> = new Set(['export', 'follow']);

/** Answers the requests of pages. */
export class EngineServer {
  private readonly pool: WorkerPool;
  private readonly grants = new Grants();
  private readonly models: OpenModels;
  private readonly exports: RunningExports;
  private readonly handlers: Handlers;
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
    const tellState = (): void => this.tellState();
    this.models = new OpenModels(pool, runtime, tellState);
    this.exports = new RunningExports(tellState);
    const { grants, models, exports } = this;
    const context = { pool, runtime, grants, models, exports };
    this.handlers = {
      ...modelHandlers(context),
      ...weightHandlers(context),
      ...calibrationHandlers(context),
      ...exportHandlers(context),
      ...runHandlers(context),
      ...budgetHandlers(context),
      computer: () => thisComputer(),
    };
  }

  grant(message: Extract<MainToEngine, { type: 'grant' }>): void {
    this.grants.add(message);
  }

  /** Stop running exports: their targets stay as they were. */
  cancelExports(): void {
    this.exports.cancel();
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

  private tellState(): void {
    const sources = this.models.sessions.flatMap(({ opened }) =>
      opened.files.map(({ identity: { dev, ino } }) => ({ identity: { dev, ino } })),
    );
    this.onState({ sources, exporting: this.exports.folders });
  }
}
