import * as path from 'node:path';
import { MessageChannelMain, utilityProcess, type UtilityProcess } from 'electron';
import { AppError } from '../../shared/errors.ts';
import type { FormatFacts } from '../../shared/formats.ts';
import type { EngineToMain, MainToEngine } from '../../shared/protocol.ts';
import type { Handles } from './handles.ts';
import { RuntimeProcesses } from './runtime-processes.ts';
import type { MainWindow } from './window.ts';

/** An engine that dies this often within this time is not started again until it is asked for. */
const MOST_DEATHS = 3;
const DEATHS_WITHIN_MS = 60_000;

/** Keeps an engine running in a process of its own, and gives pages a port to it. */
export class EngineHost {
  /** What the engine opens; nothing before it has said so. */
  formats: readonly FormatFacts[] = [];
  private readonly handles: Handles;
  private readonly window: MainWindow;
  private engine: UtilityProcess | null = null;
  private deaths: number[] = [];
  private isStopping = false;

  constructor(handles: Handles, window: MainWindow) {
    this.handles = handles;
    this.window = window;
    handles.onGrant((handle, grant) => this.post({ type: 'grant', handle, ...grant }));
    this.start();
  }

  /** Hand the window's page a port to the engine, starting one if it was given up. */
  connect(): void {
    if (this.engine === null) {
      this.deaths = [];
      this.start();
    }
    const { port1, port2 } = new MessageChannelMain();
    const message: MainToEngine = { type: 'connect' };
    this.engine?.postMessage(message, [port1]);
    this.window.current?.webContents.postMessage('engine-port', null, [port2]);
  }

  stop(): void {
    this.isStopping = true;
    this.engine?.kill();
  }

  private start(): void {
    const engine = utilityProcess.fork(path.join(__dirname, 'engine.js'), [], {
      serviceName: 'quantscope-engine',
    });
    this.engine = engine;
    const runtimes = new RuntimeProcesses((message) => engine.postMessage(message));
    engine.on('message', (message: EngineToMain) => {
      if (message.type === 'formats') this.formats = message.formats;
      else runtimes.receive(message);
    });
    engine.once('exit', (code) => {
      runtimes.killAll();
      this.died(engine, code);
    });
    this.handles.replay();
  }

  private died(engine: UtilityProcess, code: number): void {
    if (this.engine !== engine) return;
    this.engine = null;
    if (this.isStopping) return;
    const now = Date.now();
    this.deaths = [...this.deaths.filter((time) => now - time < DEATHS_WITHIN_MS), now];
    const hasGivenUp = this.deaths.length >= MOST_DEATHS;
    if (!hasGivenUp) this.start();
    const error = new AppError(
      'INTERNAL',
      hasGivenUp
        ? 'the engine stopped again and again and was not restarted; reopen the file to try once more'
        : 'the engine stopped and was started again; reopen the file to go on',
      { found: `exit status ${code}` },
    );
    this.window.send({ type: 'engine-lost', error: error.toData() });
  }

  private post(message: MainToEngine): void {
    this.engine?.postMessage(message);
  }
}
