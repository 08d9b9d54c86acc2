import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { findPreset } from '../../../shared/presets.ts';
import { runCommand as run, type Ran } from '../../helpers/command-line.ts';
import { ifModel } from '../../helpers/body-models.ts';
import {
  floatTensor,
  lineReaderModel,
  model,
  node,
  randomValues,
  value,
} from '../../helpers/onnx-model.ts';
import { root } from '../../helpers/root.ts';
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

async function verifyUnder(recipe: string, ...options: string[]): Promise<Ran> {
  const source = writeFile(folder, outlierModel());
  const out = path.join(folder, `${recipe}${options.join('')}.onnx`);
  expect((await run('export', source, '--recipe', recipe, '--out', out)).stderr).toBe('');
  return await run('verify', source, out, ...options);
}

test('verify warns in words of an output under 20 dB, and names the better preset', async () => {
  for (const options of [[], ['--json']]) {
    const { status, stderr, stdout } = await verifyUnder('ort-dynamic', ...options);
    expect(status).toBe(0);
    expect(stderr).toMatch(
      /^quantscope: warning: output y: -?\d+\.\d dB: its values differ (strongly|visibly) from the original's\nquantscope: warning: ort-dynamic quantizes every weight per tensor; export with --recipe int8 instead\n$/,
    );
    if (options.length > 0)
      expect(JSON.parse(stdout)).toMatchObject({ exportedUnder: 'ort-dynamic' });
  }
});

test('verify names no other preset for an export under another recipe', async () => {
  const { status, stderr } = await verifyUnder('int8-tensor');
  expect(status).toBe(0);
  expect(stderr).toMatch(/^quantscope: warning: output y: .* dB: [^\n]*\n$/);
});

test('verify does not warn of an output over 20 dB', async () => {
  expect(await verifyUnder('int8')).toMatchObject({ status: 0, stderr: '' });
});

test('verify shows and judges integer outputs by the share of values that are equal', async () => {
  // The ids differ by 1 of about 1000: some 60 dB, and every one is another.
  const choosing = (offset: bigint) =>
    writeFile(
      folder,
      model({
        node: [
          node('ArgMax', ['x'], ['best'], { attribute: [{ name: 'axis', type: 2, i: 1 }] }),
          node('Add', ['best', 'offset'], ['ids']),
          node('Relu', ['x'], ['y']),
        ],
        initializer: [
          {
            ...{ name: 'offset', dims: [1], dataType: 7 },
            rawData: new Uint8Array(BigInt64Array.of(offset).buffer),
          },
        ],
        input: [value('x', [4, SIZE])],
        output: [value('y', [4, SIZE]), value('ids', [4, 1], 7)],
      }),
    );
  const [near, far] = [choosing(1000n), choosing(1001n)];
  const { stdout, stderr, status } = await run('verify', near, far, '--samples', '2');
  expect(status).toBe(0);
  expect(stdout).toMatch(/^y +exact /m);
  expect(stdout).toMatch(/^ids +0\.0 % equal +- +1\.000 +-$/m);
  expect(stderr).toBe(
    "quantscope: warning: output ids: 100.0 % of its values differ from the original's\n",
  );
});

test('verify names a seed of random samples only', async () => {
  const file = writeFile(
    folder,
    model({
      node: [node('Relu', ['x'], ['y'])],
      input: [value('x', [1, 3, 8, 'w'])],
      output: [value('y', [1, 3, 8, 'w'])],
    }),
  );
  const random = await run('verify', file, file, '--samples', '1');
  expect(random.stdout).toMatch(/ ms, 1 sample, seed 0\n$/);
  const pictures = path.join(root, 'test/fixtures/pictures');
  const given = await run('verify', file, file, '--inputs', pictures, '--samples', '1');
  expect(given.stdout).toMatch(/ ms, 1 sample\n$/);
  expect(given.stderr).toContain('resize fit to height 8 and the width in proportion, RGB');
});

test('verify --layers gives one line for the layers that one reason leaves out', async () => {
  const file = writeFile(folder, ifModel());
  const out = path.join(folder, 'branches.onnx');
  const all = path.join(folder, 'all.json');
  fs.writeFileSync(all, JSON.stringify({ ...findPreset('int8')!, minElements: 0 }));
  await run('export', file, '--recipe', all, '--out', out);
  const { stdout } = await run('verify', file, out, '--layers', '--samples', '1');
  const lines = stdout.split('\n').filter((line) => line.includes('layers of bodies'));
  expect(lines).toEqual([
    '2 layers are in choose.then_branch, and layers of bodies are not measured: Conv_h, Gemm_out',
    '2 layers are in choose.else_branch, and layers of bodies are not measured: Conv_h, Gemm_out',
  ]);
});

test('verify says how pictures become the input, and --images changes it', async () => {
  const file = writeFile(
    folder,
    model({
      node: [node('Relu', ['x'], ['y'])],
      input: [value('x', [1, 3, 8, 8])],
      output: [value('y', [1, 3, 8, 8])],
    }),
  );
  const pictures = path.join(root, 'test/fixtures/pictures');
  const ran = (...options: string[]) =>
    run('verify', file, file, '--inputs', pictures, '--samples', '1', ...options);
  expect((await ran()).stderr).toBe(
    'quantscope: pictures become x: resize fit to 8 x 8, RGB, mean 0.485 0.456 0.406, std 0.229 0.224 0.225, NCHW\n' +
      'quantscope: guessed from the input: resize, size, channels, mean, std, layout; set them with --images\n',
  );
  const images = '{"mean": [0.5], "resize": "cover"}';
  expect((await ran('--images', images)).stderr).toBe(
    'quantscope: pictures become x: resize cover to 8 x 8, RGB, mean 0.5 0.5 0.5, std 0.229 0.224 0.225, NCHW\n' +
      'quantscope: guessed from the input: size, channels, std, layout; set them with --images\n',
  );
  expect((await ran('--images', '{"meen": [0.5]}')).stderr).toMatch(
    /calibration\.images\.meen: .*mean/,
  );
  expect(await run('verify', file, file, '--images', images)).toMatchObject({ status: 2 });
});

describe('verify --answers', () => {
  const reader = writeFile(folder, lineReaderModel(12));
  const keys = writeFile(folder, Buffer.from('a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n'), 'dictionary');
  const answers = (...options: string[]): Promise<Ran> =>
    run('verify', reader, reader, '--samples', '2', ...options);

  test('gives what both models answer in each sample, and the total', async () => {
    const { status, stdout } = await answers('--answers', 'ctc', '--labels', keys, '--json');
    expect(status).toBe(0);
    const found = JSON.parse(stdout) as {
      answers: { before: string; after: string }[];
      answersTotal: { of: number }[];
    };
    const length = found.answers.reduce((sum, { before }) => sum + before.length, 0);
    expect(found.answers).toHaveLength(2);
    for (const [sample, { before, after, ...rest }] of found.answers.entries()) {
      expect(rest).toEqual({
        ...{ sample, file: null, output: 'y', kind: 'ctc', agree: 1 },
        sqnrDb: Infinity,
      });
      expect(before).toMatch(/^[a-j ]+$/);
      expect(after).toBe(before);
    }
    expect(found.answersTotal).toEqual([
      {
        ...{ output: 'y', kind: 'ctc', agree: 1, wrong: 0, of: length, unit: 'characters' },
        ...{ sameSamples: 2, samples: 2 },
      },
    ]);
  });

  test('prints a table, and says that random inputs have no answers', async () => {
    const { stdout } = await answers('--answers', 'ctc', '--labels', keys);
    expect(stdout).toMatch(
      /sample +output +original +export +agree\n0 +y +"[a-j ]+" +"[a-j ]+" +100\.0 %/,
    );
    expect(stdout).toMatch(/y \(Text \(CTC\)\): 100\.0 % of \d+ characters agree; 2 of 2 samples/);
    expect(stdout).toContain('random numbers, so classes, texts and pictures mean nothing');
  });

  test('says that scores of one step are no text', async () => {
    const model = writeFile(folder, outlierModel());
    const options = ['--samples', '1', '--answers', 'ctc', '--labels', keys] as const;
    const { stdout } = await run('verify', model, model, ...options);
    expect(stdout).toContain(
      'y: The output has class scores of one step, and text has many: show it as class scores.',
    );
  });

  test('refuses a kind that there is not, and labels without --answers', async () => {
    expect(await answers('--answers', 'riddles')).toMatchObject({ status: 2 });
    expect(await answers('--labels', keys)).toMatchObject({ status: 2 });
    expect(await answers('--answers', '--labels', `${keys}.missing`)).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/NOT_A_FILE: .*missing: cannot be read/) as string,
    });
  });
});
