import * as path from 'node:path';
import { app, MessageChannelMain, utilityProcess, type UtilityProcess } from 'electron';
import { AppError } from '../../shared/errors.ts';
import type { FormatFacts } from '../../shared/formats.ts';
import type { Settings } from '../../shared/ipc.ts';
import type { EngineState, EngineToMain, MainToEngine } from '../../shared/processes.ts';
import type { RotatingLog } from '../files/rotating-log.ts';
import type { Handles } from './handles.ts';
import { readJson, writeJsonNow } from './json-file.ts';
import { RuntimeProcesses } from './runtime-processes.ts';
import type { MainWindow } from './window.ts';

/** An engine that dies this often within this time is not started again until it is asked for. */
const MOST_DEATHS = 3;
const DEATHS_WITHIN_MS = 60_000;

/** How long the first restart within that time waits, and the second. */
const RESTART_AFTER_MS = [0, 1000];

/** An engine that takes longer to stop its exports is killed; what it leaves is removed by the next one. */
const CANCEL_WITHIN_MS = 3000;

/** What engine.ts reads the number of its workers from. */
function engineArguments(workers: number | null): string[] {
  return workers === null ? [] : [`--workers=${workers}`];
}

const IDLE: EngineState = { sources: [], exporting: [] };

/** Keeps an engine running in a process of its own, and gives pages a port to it. */
/** What memory-limit.ts reads; without a limit of the settings, the environment's own stays. */
function engineEnvironment(memory: number | null): NodeJS.ProcessEnv {
  return memory === null ? process.env : { ...process.env, QUANTSCOPE_MEMORY: String(memory) };
}

/** What the settings let the engine use. */
type EngineLimits = Pick<Settings, 'workers' | 'memory'>;

export class EngineHost {
  /** What the engine opens; nothing before it has said so. */
  formats: readonly FormatFacts[] = [];
  /** Of its latest word; a new engine has no exports. */
  state = IDLE;
  private onState: () => void = () => undefined;
  /** Folders in which exports run, kept so that the next start can put in order what a kill leaves there. */
  private readonly unfinishedFile = path.join(app.getPath('userData'), 'unfinished.json');
  private readonly handles: Handles;
  private readonly window: MainWindow;
  private readonly limits: EngineLimits;
  private readonly log: RotatingLog;
  private engine: UtilityProcess | null = null;
  private deaths: number[] = [];
  private isStopping = false;
  /** The restart that is due, and whether a page waits for its port. */
  private restart: NodeJS.Timeout | null = null;
  private isAwaited = false;

  constructor(handles: Handles, window: MainWindow, limits: EngineLimits, log: RotatingLog) {
    this.limits = limits;
    this.log = log;
    this.handles = handles;
    this.window = window;
    handles.onGrant((handle, grant) => this.post({ type: 'grant', handle, ...grant }));
    this.start();
  }

  /** Hand the window's page a port to the engine as soon as it runs, starting one if it was given up. */
  connect(): void {
    if (this.restart !== null) {
      this.isAwaited = true;
      return;
    }
    if (this.engine === null) {
      this.deaths = [];
      this.start();
    }
    const { port1, port2 } = new MessageChannelMain();
    const message: MainToEngine = { type: 'connect' };
    this.engine?.postMessage(message, [port1]);
    this.window.current?.webContents.postMessage('engine-port', null, [port2]);
  }

  get isExporting(): boolean {
    return this.state.exporting.length > 0;
  }

  /** Stop all exports. Resolves when nothing of them is left, or the engine was killed for being slow. */
  async cancelExports(): Promise<void> {
    this.post({ type: 'cancel-exports' });
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => this.engine?.kill(), CANCEL_WITHIN_MS);
      this.onState = () => {
        if (this.isExporting) return;
        clearTimeout(timer);
        resolve();
      };
      this.onState();
    });
  }

  stop(): void {
    this.isStopping = true;
    if (this.restart !== null) clearTimeout(this.restart);
    this.engine?.kill();
  }

  private start(): void {
    const engine = utilityProcess.fork(
      path.join(__dirname, 'engine.js'),
      engineArguments(this.limits.workers),
      {
        serviceName: 'quantscope-engine',
        env: engineEnvironment(this.limits.memory),
      },
    );
    this.engine = engine;
    const runtimes = new RuntimeProcesses((message) => engine.postMessage(message));
    engine.on('message', (message: EngineToMain) => {
      if (message.type === 'formats') this.formats = message.formats;
      else if (message.type === 'state') this.setState(message.state);
      else runtimes.receive(message);
    });
    engine.once('exit', (code) => {
      runtimes.killAll();
      this.died(engine, code);
    });
    this.handles.replay();
    this.recover();
  }

  private setState(state: EngineState): void {
    const before = JSON.stringify(this.state.exporting);
    this.state = state;
    if (JSON.stringify(state.exporting) !== before)
      writeJsonNow(this.unfinishedFile, state.exporting);
    this.onState();
  }

  /** Have the folders put in order in which exports of an engine that is gone ran. */
  private recover(): void {
    const stored = readJson<unknown>(this.unfinishedFile);
    const folders = Array.isArray(stored)
      ? stored.filter((folder): folder is string => typeof folder === 'string')
      : [];
    if (folders.length === 0) return;
    this.post({ type: 'recover', folders });
    writeJsonNow(this.unfinishedFile, []);
  }

  private died(engine: UtilityProcess, code: number): void {
    if (this.engine !== engine) return;
    this.engine = null;
    if (this.isStopping) return;
    // Its exports ended with it; unfinished.json still names their folders, for the next engine.
    this.state = { ...this.state, exporting: [] };
    this.onState();
    this.log.write(`the engine ended with exit status ${code}`);
    const now = Date.now();
    this.deaths = [...this.deaths.filter((time) => now - time < DEATHS_WITHIN_MS), now];
    const hasGivenUp = this.deaths.length >= MOST_DEATHS;
    if (!hasGivenUp) this.restartAfter(RESTART_AFTER_MS[this.deaths.length - 1] ?? 0);
    const error = new AppError(
      'WORKER_DIED',
      hasGivenUp
        ? 'the engine stopped again and again and was not restarted; reopen the file to try once more'
        : 'the engine stopped and was started again; reopen the file to go on',
      { found: `exit status ${code}` },
    );
    this.window.send({ type: 'engine-lost', error: error.toData(), isRestarted: !hasGivenUp });
  }

  private restartAfter(milliseconds: number): void {
    this.restart = setTimeout(() => {
      this.restart = null;
      this.start();
      if (this.isAwaited) this.connect();
      this.isAwaited = false;
    }, milliseconds);
  }

  private post(message: MainToEngine): void {
    this.engine?.postMessage(message);
  }
}
