import * as path from 'node:path';
import type { EngineToMain, MainToEngine } from '../../shared/processes.ts';
import { recoverFolder } from './export/journal.ts';
import { FORMATS } from './formats/registry.ts';
import { WorkerPool } from './pool.ts';
import { sweepFolders } from './runtime/run-folder.ts';
import { MainRuntimes } from './runtime/main-runtimes.ts';
import type { Port } from './port.ts';
import { EngineServer } from './server.ts';

/** What Electron gives a utility process; the engine imports nothing from 'electron'. */
interface ElectronPort {
  on(event: 'message', listener: (event: { data: unknown; ports: ElectronPort[] }) => void): void;
  postMessage(message: unknown): void;
  start(): void;
}

const parentPort = (process as unknown as { parentPort?: ElectronPort }).parentPort;
if (parentPort === undefined) throw new Error('the engine runs in a utility process of the app');

/** The start of the app is over by then. */
const SWEEP_AFTER_MS = 5000;

const main = parentPort;
const runtimes = new MainRuntimes((message) => main.postMessage(message));
const server = new EngineServer(
  new WorkerPool(path.join(__dirname, 'worker.js'), workersArgument(process.argv)),
  () => runtimes.start(),
  (state) => tellMain({ type: 'state', state }),
);

/** How many workers main asks for; undefined for one per core. */
function workersArgument(argv: readonly string[]): number | undefined {
  const count = argv.find((argument) => argument.startsWith('--workers='))?.slice(10);
  return count === undefined ? undefined : Number(count);
}

function tellMain(message: EngineToMain): void {
  parentPort?.postMessage(message);
}

tellMain({ type: 'formats', formats: FORMATS });
parentPort.on('message', ({ data, ports }) => {
  const message = data as MainToEngine;
  if (message.type === 'grant') server.grant(message);
  else if (message.type === 'recover') message.folders.forEach(recoverFolder);
  else if (message.type === 'cancel-exports') server.cancelExports();
  else if (message.type !== 'connect') runtimes.receive(message);
  else if (ports[0] !== undefined) server.connect(wrap(ports[0]));
});

// Outputs of runs are kept until the model is closed; an app that was quit or killed left them. Not while it starts.
setTimeout(() => {
  try {
    sweepFolders();
  } catch {
    // The folder for temporary files cannot be listed; a run says so.
  }
}, SWEEP_AFTER_MS).unref();

function wrap(port: ElectronPort): Port {
  return {
    post: (message) => port.postMessage(message),
    onMessage: (listener) => {
      port.on('message', ({ data }) => listener(data));
      port.start();
    },
  };
}
