import { spawnSync } from 'node:child_process';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import { CLI_SCRIPT } from '../../helpers/engine.ts';
import { floatTensor, model, node, randomValues, value } from '../../helpers/onnx-model.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const SIZE = 64;

/** Its first weight column is 10000 times the others and is not read: one scale per tensor ruins the output. */
function outlierModel(): Uint8Array {
  const weights = randomValues(SIZE * SIZE, 1).map((each, at) =>
    at % SIZE === 0 ? each * 1e4 : each,
  );
  const columns = Array.from({ length: SIZE - 1 }, (_, at) => BigInt(at + 1));
  const indices = new Uint8Array(BigInt64Array.from(columns).buffer);
  return model({
    node: [
      node('MatMul', ['x', 'w'], ['all']),
      node('Gather', ['all', 'columns'], ['y'], {
        attribute: [{ name: 'axis', type: 2, i: 1 }],
      }),
    ],
    initializer: [
      floatTensor('w', [SIZE, SIZE], weights),
      { name: 'columns', dims: [SIZE - 1], dataType: 7, rawData: indices },
    ],
    input: [value('x', ['batch', SIZE])],
    output: [value('y', ['batch', SIZE - 1])],
  });
}

function run(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [CLI_SCRIPT, ...args], { encoding: 'utf8' });
}

function verifyUnder(recipe: string, ...options: string[]): ReturnType<typeof run> {
  const source = writeFile(folder, outlierModel());
  const out = path.join(folder, `${recipe}${options.join('')}.onnx`);
  expect(run('export', source, '--recipe', recipe, '--out', out).stderr).toBe('');
  return run('verify', source, out, ...options);
}

test('verify warns in words of an output under 20 dB, and names the better preset', () => {
  for (const options of [[], ['--json']]) {
    const { status, stderr, stdout } = verifyUnder('ort-dynamic', ...options);
    expect(status).toBe(0);
    expect(stderr).toMatch(
      /^quantscope: warning: output y: -?\d+\.\d dB: the export does not answer as the original does\nquantscope: warning: ort-dynamic quantizes every weight per tensor; export with --recipe int8 instead\n$/,
    );
    if (options.length > 0)
      expect(JSON.parse(stdout)).toMatchObject({ exportedUnder: 'ort-dynamic' });
  }
});

test('verify names no other preset for an export under another recipe', () => {
  const { status, stderr } = verifyUnder('int8-tensor');
  expect(status).toBe(0);
  expect(stderr).toMatch(/^quantscope: warning: output y: .* dB: [^\n]*\n$/);
});

test('verify does not warn of an output over 20 dB', () => {
  expect(verifyUnder('int8')).toMatchObject({ status: 0, stderr: '' });
});
