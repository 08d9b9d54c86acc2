import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import * as path from 'node:path';
import { electronArguments, electronBinary, expect, SAMPLE, test } from './app.ts';

/** A command in the app, as the packaged `quantscope` runs it where there is no Node. */
function inApp(profile: string, ...args: readonly string[]): SpawnSyncReturns<string> {
  const before = [...electronArguments([], profile), '--log-level=3', '--command-line', '--'];
  return spawnSync(electronBinary(), [...before, ...args], { encoding: 'utf8' });
}

function inNode(...args: readonly string[]): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, ['dist/cli.js', ...args], { encoding: 'utf8' });
}

test.describe('the command line in the app', () => {
  test('prints what it prints in Node', ({ folder }) => {
    const args = ['analyze', SAMPLE, '--recipe', 'int8', '--json'];
    const { stdout, stderr, status } = inApp(folder, ...args);
    expect({ stdout, stderr, status }).toEqual({
      stdout: inNode(...args).stdout,
      stderr: '',
      status: 0,
    });
  });

  test('keeps what stands behind -- from Chromium, and its exit status', ({ folder }) => {
    const args = ['inspect', '--remote-debugging-port=0', 'missing.onnx'];
    const { stderr, status } = inApp(folder, ...args);
    expect({ stderr, status }).toEqual({ stderr: inNode(...args).stderr, status: 2 });
  });

  test('runs onnxruntime', ({ folder }) => {
    const out = path.join(folder, 'int8.onnx');
    expect(inApp(folder, 'export', SAMPLE, '--recipe', 'int8', '--out', out).status).toBe(0);
    const verified = inApp(folder, 'verify', SAMPLE, out, '--samples', '2', '--json');
    const { outputs } = JSON.parse(verified.stdout) as { outputs: { sqnrDb: number }[] };
    expect(outputs[0]!.sqnrDb).toBeGreaterThan(40);
    expect(verified.stderr).toBe('');
  });
});
