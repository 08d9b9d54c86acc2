import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { runInRuntime } from '../../../electron/engine/runtime/host.ts';
import { NO_HINTS } from '../../../electron/engine/runtime/inputs.ts';
import type { RunProgress } from '../../../electron/engine/runtime/run-progress.ts';
import { RunClock } from '../../../electron/engine/runtime/run-progress.ts';
import { processorSecondsOf } from '../../helpers/cpu.ts';
import { CLI_SCRIPT, RUNTIME_SCRIPT } from '../../helpers/engine.ts';
import { endlessModel, growingModel, matMulModel } from '../../helpers/onnx-model.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const endless = writeFile(folder, endlessModel());
const growing = writeFile(folder, growingModel());
const small = writeFile(folder, matMulModel(8, 8));

const request = (file: string, samples = 2) => ({
  kind: 'verify' as const,
  original: file,
  exported: file,
  samples,
  seed: 0,
  hints: NO_HINTS,
  exportedHints: NO_HINTS,
  inputs: null,
  optimized: path.join(folder, 'optimized.onnx'),
});
const never = new AbortController().signal;

/** Children of a process that run the runtime script, by /proc, or by ps, which takes as long as a hundred reads. */
function runtimesOf(pid: number): number[] {
  try {
    return fs
      .readdirSync(`/proc/${pid}/task`)
      .flatMap((task) => fs.readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' '))
      .filter((child) => child !== '' && commandOf(child).includes('runtime.js'))
      .map(Number);
  } catch {
    return runtimesByPs(pid);
  }
}

/** The command of a process, or nothing where it has ended. */
function commandOf(pid: string): string {
  try {
    return fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

function runtimesByPs(pid: number): number[] {
  const { stdout } = spawnSync('ps', ['-A', '-o', 'pid=,ppid=,args='], { encoding: 'utf8' });
  return stdout
    .split('\n')
    .map((line) => /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line))
    .flatMap((found) =>
      found !== null && Number(found[2]) === pid && found[3]!.includes('runtime.js')
        ? [Number(found[1])]
        : [],
    );
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    // A child that has ended and waits for its parent counts as ended.
    return !/^\d+ \(.*\) Z/.test(fs.readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
};

/** Waits until a runtime is in the middle of an inference: to start and to load the model takes half as much of the processor. */
async function untilInferring(runtime: number): Promise<void> {
  if (processorSecondsOf(runtime) === null) return await sleep(600);
  await until(() => processorSecondsOf(runtime)! > 0.45);
}

async function until(condition: () => boolean, ms = 10_000): Promise<void> {
  for (let waited = 0; !condition(); waited += 20) {
    if (waited > ms) throw new Error('the condition did not come true');
    await sleep(20);
  }
}

describe('the process of onnxruntime', () => {
  test('names the computer for which onnxruntime has no build', async () => {
    const app = temporaryFolder();
    for (const name of fs.readdirSync('dist').filter((each) => each.endsWith('.js')))
      fs.copyFileSync(path.join('dist', name), path.join(app, name));
    for (const name of ['onnxruntime-common', 'onnxruntime-node'])
      fs.cpSync(`node_modules/${name}`, path.join(app, 'node_modules', name), {
        recursive: true,
        filter: (file) => !file.endsWith(`${name}/bin`),
      });
    const running = runInRuntime(
      path.join(app, 'runtime.js'),
      request(small),
      never,
      () => undefined,
    );
    await expect(running).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      message: expect.stringContaining(`${process.platform} ${process.arch}`) as string,
    });
  });

  test('cancel ends an endless inference at once, ten times, and the next run answers', async () => {
    // Other test files of this process share one, which goes on.
    const others = runtimesOf(process.pid).length;
    for (let time = 0; time < 10; time++) {
      const abort = new AbortController();
      let cancelled = 0;
      const running = runInRuntime(RUNTIME_SCRIPT, request(endless), abort.signal, ({ what }) => {
        if (what !== 'Finding input sizes') return;
        setTimeout(() => {
          cancelled = performance.now();
          abort.abort();
        }, 50);
      });
      await expect(running).rejects.toMatchObject({ code: 'CANCELLED' });
      expect(performance.now() - cancelled).toBeLessThan(1000);
    }
    await until(() => runtimesOf(process.pid).length === others);
    const { outputs } = await runInRuntime(RUNTIME_SCRIPT, request(small), never, () => undefined);
    expect(outputs[0]!.sqnrDb).toBe(Infinity);
  }, 60_000);

  test('an inference that takes more memory than allowed is a limit', async () => {
    const running = runInRuntime(RUNTIME_SCRIPT, request(growing), never, () => undefined, {
      memoryBytes: 600e6,
    });
    await expect(running).rejects.toMatchObject({
      code: 'LIMIT',
      message: expect.stringMatching(
        /more memory than it may.*at most the memory limit of 0\.6 GB/,
      ) as string,
    });
  }, 60_000);

  test('an inference without end is a limit', async () => {
    const running = runInRuntime(RUNTIME_SCRIPT, request(endless), never, () => undefined, {
      silenceMs: 700,
    });
    await expect(running).rejects.toMatchObject({
      code: 'LIMIT',
      message: expect.stringMatching(/takes too long.*over 0\.7 s/) as string,
    });
  }, 60_000);
});

describe('quantscope verify', () => {
  async function verifying(): Promise<{ cli: ChildProcess; runtime: number }> {
    const cli = spawn(process.execPath, [CLI_SCRIPT, 'verify', endless, endless], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    await until(() => runtimesOf(cli.pid!).length === 1);
    const [runtime] = runtimesOf(cli.pid!);
    await untilInferring(runtime!);
    return { cli, runtime: runtime! };
  }
  const ended = (cli: ChildProcess): Promise<[number | null, string | null]> =>
    new Promise((resolve) => {
      cli.on('exit', (code, signal) => resolve([code, signal]));
    });

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)(
    '%s ends it with status %d and leaves no process',
    async (signal, status) => {
      const { cli, runtime } = await verifying();
      const end = ended(cli);
      cli.kill(signal);
      expect(await end).toEqual([status, null]);
      await until(() => !isAlive(runtime));
    },
    60_000,
  );

  test('SIGKILL leaves no process', async () => {
    const { cli, runtime } = await verifying();
    expect(isAlive(runtime)).toBe(true);
    cli.kill('SIGKILL');
    await until(() => !isAlive(runtime));
  }, 60_000);
});

test('onnxruntime keeps nothing of its own in the home or the temporary folder', () => {
  const home = fs.mkdtempSync(path.join(folder, 'home-'));
  const env = { ...process.env, HOME: home, XDG_CACHE_HOME: home, TMPDIR: home };
  const args = [CLI_SCRIPT, 'verify', small, small, '--samples', '1'];
  const { status, stderr } = spawnSync(process.execPath, args, { env, encoding: 'utf8' });
  expect([status, stderr]).toEqual([0, '']);
  expect(fs.readdirSync(home, { recursive: true })).toEqual([]);
}, 60_000);

test('progress comes before each run, with the time left that whole samples took', async () => {
  const said: RunProgress[] = [];
  let now = 0;
  const clock = new RunClock(
    (progress) => said.push(progress),
    2,
    () => now,
  );
  const work = (): Promise<void> => {
    now += 1000;
    return Promise.resolve();
  };
  for (const index of [0, 1]) {
    await clock.run('original', index, work);
    await clock.run('exported', index, work);
  }
  expect(said).toEqual([
    { what: 'Sample', done: 1, of: 2, fraction: 0, secondsLeft: null },
    { what: 'Sample', done: 1, of: 2, fraction: 0.25, secondsLeft: null },
    { what: 'Sample', done: 2, of: 2, fraction: 0.5, secondsLeft: 2 },
    { what: 'Sample', done: 2, of: 2, fraction: 0.75, secondsLeft: 1 },
  ]);
  expect(clock.times).toEqual({ original: [1000, 1000], exported: [1000, 1000] });
});
