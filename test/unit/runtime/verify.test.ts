import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { zipSync } from 'fflate';
import { onnx } from 'onnx-proto';
import { describe, expect, test } from 'vitest';
import { findPreset } from '../../../shared/presets.ts';
import type { VerifyResult } from '../../../shared/verification.ts';
import { OutputTally } from '../../../electron/engine/runtime/compare.ts';
import { sweepFolders } from '../../../electron/engine/runtime/run-folder.ts';
import { runBeside, runUnder } from '../../../electron/engine/runtime/run-models.ts';
import { Session } from '../../../electron/engine/session.ts';
import { runCommand, runProcess } from '../../helpers/command-line.ts';
import { RUNTIME_SCRIPT, testPool } from '../../helpers/engine.ts';
import { floatTensor, floats, matMulModel, model, node, value } from '../../helpers/onnx-model.ts';
import { REAL_MODELS } from '../../helpers/real-models.ts';
import { sharedRuntime } from '../../helpers/shared-runtime.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const pool = testPool();
const never = new AbortController().signal;

async function verify(
  file: string,
  other: string,
  inputs: string | null = null,
  seed = 1,
  samples = 2,
): Promise<VerifyResult> {
  const session = Session.open(file, pool);
  try {
    return await runBeside(
      session,
      sharedRuntime,
      other,
      { samples, seed, inputs, timedRuns: samples },
      { signal: never },
    );
  } finally {
    session.close();
  }
}

async function int8Of(file: string): Promise<string> {
  const session = Session.open(file, pool);
  const out = path.join(folder, `q-${path.basename(file)}`);
  await session.export({ ...findPreset('int8')!, minElements: 0 }, 'qdq', out, { signal: never });
  session.close();
  return out;
}

/** For what does not depend on the model: onnxruntime runs it in no time. */
const small = writeFile(folder, matMulModel(64, 64), 'small.onnx');

describe.each(REAL_MODELS)('$name', ({ file }) => {
  test('equals itself, and differs from its int8 export by a finite error', async () => {
    const same = await verify(file, file, null, 1, 1);
    expect(
      same.outputs.every((output) => output.sqnrDb === Infinity && output.maxAbsError === 0),
    ).toBe(true);
    const other = await verify(file, await int8Of(file), null, 1, 1);
    for (const output of other.outputs) {
      expect(output.maxAbsError).toBeGreaterThan(0);
      expect(Number.isFinite(output.sqnrDb)).toBe(true);
    }
    expect(other.bytesAfter).toBeLessThan(other.bytesBefore);
  });
});

test('the same seed gives the same figures, another seed others', async () => {
  const out = await int8Of(small);
  const [first, again, other] = [
    await verify(small, out),
    await verify(small, out),
    await verify(small, out, null, 9),
  ];
  expect(again.outputs).toEqual(first.outputs);
  expect(other.outputs).not.toEqual(first.outputs);
});

describe('given inputs', () => {
  const file = writeFile(folder, matMulModel(4, 4));
  const header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 4), }".padEnd(117) + '\n';
  const npy = (text: string, values: Uint8Array): Uint8Array =>
    Buffer.concat([
      Buffer.from('\u0093NUMPY\u0001\u0000', 'latin1'),
      Uint8Array.of(text.length & 255, text.length >> 8),
      Buffer.from(text, 'latin1'),
      values,
    ]);
  const pb = (tensor: onnx.ITensorProto): Uint8Array => onnx.TensorProto.encode(tensor).finish();
  const samples = (name: string, files: Record<string, Uint8Array>): string => {
    const target = path.join(folder, name);
    fs.mkdirSync(target);
    for (const [entry, bytes] of Object.entries(files)) writeFile(target, bytes, entry);
    return target;
  };

  test.each([
    ['.npy', { 'x.npy': npy(header, floats([1, 2, 3, 4])) }],
    ['.npz', { 'one.npz': zipSync({ 'x.npy': npy(header, floats([1, 2, 3, 4])) }) }],
    ['.pb', { 'input_0.pb': pb(floatTensor('', [1, 4], [1, 2, 3, 4])) }],
  ])('are read from %s', async (kind, files) => {
    const result = await verify(file, file, samples(`good${kind}`, files));
    expect(result).toMatchObject({ samples: 1, outputs: [{ name: 'y', sqnrDb: Infinity }] });
  });

  test('the one array for a model with one input may have any name', async () => {
    const target = samples('any name', { 'zebra.npy': npy(header, floats([1, 2, 3, 4])) });
    expect((await verify(file, file, target)).outputs[0]!.sqnrDb).toBe(Infinity);
  });

  test('a pipe or device named x.npy is refused', async () => {
    const pipe = samples('pipe', {});
    spawnSync('mkfifo', [path.join(pipe, 'x.npy')]);
    await expect(verify(file, file, pipe)).rejects.toThrow(/x\.npy: cannot be read as a sample/);
    const device = samples('device', {});
    fs.symlinkSync('/dev/zero', path.join(device, 'x.npy'));
    await expect(verify(file, file, device)).rejects.toThrow(/x\.npy: cannot be read as a sample/);
  });

  test('an archive whose entry claims size 0 is held to the size of the input', async () => {
    const fixed = writeFile(
      folder,
      model({
        node: [node('Relu', ['x'], ['y'])],
        input: [value('x', [1, 4])],
        output: [value('y', [1, 4])],
      }),
    );
    const zip = zipSync({ 'x.npy': new Uint8Array(8 << 20) });
    for (let at = 0; at < zip.length - 4; at++) {
      const signature = Buffer.from(zip.subarray(at, at + 4)).toString('latin1');
      if (signature === 'PK\u0003\u0004') zip.fill(0, at + 22, at + 26);
      if (signature === 'PK\u0001\u0002') zip.fill(0, at + 24, at + 28);
    }
    await expect(verify(fixed, fixed, samples('bomb', { 'x.npz': zip }))).rejects.toThrow(
      /x\.npz, x\.npy: is too large for the model's inputs.*at most 65576 bytes/,
    );
  });

  test.each<[string, Record<string, Uint8Array>, RegExp]>([
    ['nothing', {}, /contains no samples/],
    [
      'an array for another model',
      { 'z.npy': npy(header.replace('(1, 4)', '(2, 2)'), floats([1, 2, 3, 4])) },
      /x: a sample does not fit the input \(found x \(float32, 2 x 2\), expected x \(float32, batch x 4\); choose samples made for this model\)/,
    ],
    [
      'arrays of other names',
      {
        'one.npz': zipSync({
          'w.npy': npy(header, floats([1, 2, 3, 4])),
          'z.npy': npy(header, floats([1, 2, 3, 4])),
        }),
      },
      /x: a sample has no array for the input \(found w \(float32, 1 x 4\), z .*expected x \(float32, batch x 4\)/,
    ],
    [
      'a tensor with more dimensions than any has',
      { 'input_0.pb': pb({ name: 'x', dims: new Array<number>(5000).fill(1), dataType: 1 }) },
      /input_0\.pb, dims: takes too much memory to decode/,
    ],
    [
      'an array with too few values',
      { 'x.npy': npy(header, floats([1, 2])) },
      /x\.npy.*as many values/,
    ],
    [
      'an array in Fortran order',
      { 'x.npy': npy(header.replace('False', 'True '), floats([1, 2, 3, 4])) },
      /Fortran order/,
    ],
    [
      'an array of objects',
      { 'x.npy': npy(header.replace('<f4', '|O '), floats([1])) },
      /type \|O/,
    ],
    [
      "an array of a type that is a property's name",
      { 'x.npy': npy(header.replace('<f4', 'toString'), floats([1, 2, 3, 4])) },
      /x\.npy, descr: .*type toString/,
    ],
    [
      'an array whose shape is no list of sizes',
      { 'x.npy': npy(header.replace('(1, 4)', '(1, x)'), floats([1, 2, 3, 4])) },
      /x\.npy, shape: .*found 1, x/,
    ],
    [
      'a tensor whose shape is not that of its values',
      { 'input_0.pb': pb({ name: 'x', dims: [2, 4], dataType: 1, floatData: [1, 2, 3] }) },
      /input_0\.pb, float_data: .*3 values.*8 values for 2 x 4/,
    ],
    [
      'a tensor without values',
      { 'input_0.pb': pb({ name: 'x', dims: [2], dataType: 7 }) },
      /input_0\.pb, int64_data: .*0 values.*2 values/,
    ],
    [
      'a tensor of a negative size',
      { 'input_0.pb': pb({ name: 'x', dims: [-1], dataType: 1, floatData: [1] }) },
      /input_0\.pb, dims: .*found -1/,
    ],
    ['a file that is no array', { 'x.npy': Buffer.from('hello world!') }, /x\.npy.*not an array/],
    ['an archive that is none', { 'x.npz': Buffer.from('PK no') }, /x\.npz.*not a \.npz archive/],
    [
      'a tensor that is none',
      { 'input_0.pb': Uint8Array.of(255, 255) },
      /input_0\.pb.*not a TensorProto/,
    ],
  ])('are refused: %s', async (name, files, pattern) => {
    await expect(verify(file, file, samples(`bad ${name}`, files))).rejects.toThrow(pattern);
  });
});

describe('what goes wrong in the runtime', () => {
  test('a model that does not load is reported in the words of the runtime', async () => {
    const file = writeFile(folder, matMulModel(8, 8));
    const broken = writeFile(
      folder,
      model({
        node: [node('Frobnicate', ['x'], ['y'])],
        input: [value('x', [1, 8])],
        output: [value('y', [1, 8])],
      }),
    );
    await expect(verify(file, broken)).rejects.toMatchObject({
      code: 'RUNTIME',
      details: { file: broken, found: expect.stringMatching(/Frobnicate/) as string },
    });
  });

  test('a run without any output that can be compared is an error', async () => {
    const file = writeFile(folder, matMulModel(8, 8));
    const other = writeFile(folder, matMulModel(8, 4));
    await expect(verify(file, other)).rejects.toThrow(
      /no output can be compared.*shapes differ: 1 x 8 and 1 x 4/,
    );
  });

  test('cancel ends it', async () => {
    const session = Session.open(REAL_MODELS[0]!.file, pool);
    const abort = new AbortController();
    const running = runBeside(
      session,
      RUNTIME_SCRIPT,
      REAL_MODELS[0]!.file,
      { samples: 1000, seed: 0, inputs: null },
      { signal: abort.signal, onProgress: () => abort.abort() },
    );
    await expect(running).rejects.toMatchObject({ code: 'CANCELLED' });
    session.close();
  });

  test('a runtime that is killed is an error that says so', async () => {
    const session = Session.open(REAL_MODELS[0]!.file, pool);
    let isKilled = false;
    const running = runBeside(
      session,
      RUNTIME_SCRIPT,
      REAL_MODELS[0]!.file,
      { samples: 1000, seed: 0, inputs: null },
      {
        signal: never,
        onProgress: () => {
          // The newest: the shared runtime is a child of this process, too.
          const children = ['-P', String(process.pid), '-f', 'runtime.js'];
          if (!isKilled) spawnSync('pkill', ['-KILL', '--newest', ...children]);
          isKilled = true;
        },
      },
    );
    await expect(running).rejects.toMatchObject({
      code: 'RUNTIME',
      message: expect.stringMatching(/onnxruntime crashed.*SIGKILL/) as string,
    });
    session.close();
  });
});

test('a recipe is run without a file that stays', async () => {
  const session = Session.open(small, pool);
  // Other processes of this computer have folders of their own, and so have other test files of this one.
  const own = `quantscope-run-${process.pid}-`;
  const others = new Set(fs.readdirSync(os.tmpdir()).filter((name) => name.startsWith(own)));
  const left = (): string[] =>
    fs.readdirSync(os.tmpdir()).filter((name) => name.startsWith(own) && !others.has(name));
  const inputs = { samples: 2, seed: 1, inputs: null };
  const recipe = { ...findPreset('int8')!, minElements: 0 };
  const under = { recipe, mode: 'qdq' } as const;
  const found = await runUnder(session, sharedRuntime, under, inputs, { signal: never });
  const beside = await verify(small, await int8Of(small));
  expect(found.outputs).toEqual(beside.outputs);
  expect(found.bytesAfter).toBe(beside.bytesAfter);
  expect(left()).toEqual([]);
  session.close();
});

test('folders of processes that have ended are swept, and no others', () => {
  const parent = path.join(folder, 'swept');
  // No process has the number of the first.
  const names = ['quantscope-run-4194304-orphan', `quantscope-run-${process.pid}-own`, 'other'];
  for (const name of names) fs.mkdirSync(path.join(parent, name), { recursive: true });
  sweepFolders(parent);
  expect(fs.readdirSync(parent).sort()).toEqual(['other', `quantscope-run-${process.pid}-own`]);
});

test('ONNX has no mode of a checkpoint', async () => {
  const session = Session.open(REAL_MODELS[2]!.file, pool);
  expect(session.opened.modes).not.toContain('cast');
  await expect(
    session.previewExport(findPreset('int8')!, 'cast', { signal: never }),
  ).rejects.toThrow(/no such export mode.*found cast/);
  session.close();
});

describe('the comparison', () => {
  const compare = (original: number[], exported: number[], dims: number[]) => {
    const tally = new OutputTally('y');
    tally.add(original, exported, dims);
    return tally.result();
  };

  test('SQNR, cosine, greatest error and top-1 by hand', () => {
    const result = compare([3, 4, 0, 5], [3, 4.5, 0, 5], [2, 2]);
    expect(result).toMatchObject({ maxAbsError: 0.5, top1Agreement: 1 });
    expect(result.sqnrDb).toBeCloseTo(10 * Math.log10(50 / 0.25), 12);
    expect(result.cosine).toBeCloseTo((9 + 18 + 25) / Math.sqrt(50 * (9 + 20.25 + 25)), 12);
    expect(compare([1, 2], [2, 1], [1, 2]).top1Agreement).toBe(0);
    // An image or a sequence has no classes.
    expect(compare([1, 2, 3, 4], [1, 2, 3, 4], [1, 1, 2, 2]).top1Agreement).toBeNull();
    expect(compare([1, 2], [1, 2], [2]).top1Agreement).toBeNull();
  });

  test('zeros, equal infinities and NaN have their own answers', () => {
    expect(compare([0, 0], [0, 0], [2])).toMatchObject({
      sqnrDb: Infinity,
      cosine: null,
      maxAbsError: 0,
    });
    expect(compare([0, 0], [1, 0], [2]).sqnrDb).toBeNull();
    expect(compare([Infinity, 1], [Infinity, 1], [2])).toMatchObject({
      sqnrDb: Infinity,
      maxAbsError: 0,
    });
    expect(compare([1, 1], [NaN, 1], [2]).sqnrDb).toBeNull();
    expect(compare([1, 1], [NaN, 1], [2]).maxAbsError).toBeNaN();
  });

  test('counts NaN and infinity that the original does not have', () => {
    const original = [1, 2, NaN, Infinity, 3, Infinity];
    const exported = [NaN, Infinity, NaN, NaN, 3, -Infinity];
    expect(compare(original, exported, [6]).nonFinite).toEqual({
      before: 3,
      after: 5,
      newNaN: 2,
      newInfinity: 1,
      lost: 1,
    });
  });

  test('of values that are not finite in the original alone the finite ones are compared', () => {
    const result = compare([NaN, 3, Infinity, 4], [7, 3, -Infinity, 4.5], [4]);
    expect(result.sqnrDb).toBeCloseTo(10 * Math.log10(25 / 0.25), 12);
    expect(result.maxAbsError).toBe(0.5);
    expect(result.nonFinite).toMatchObject({ before: 2, after: 1, newNaN: 0, lost: 2 });
    // Equal values beside a lost one are not exact.
    expect(compare([NaN, 1], [0, 1], [2])).toMatchObject({ sqnrDb: null, maxAbsError: 0 });
    expect(compare([NaN, NaN], [0, 1], [2])).toMatchObject({ sqnrDb: null, maxAbsError: NaN });
    expect(compare([NaN, 1], [NaN, 1], [2])).toMatchObject({ sqnrDb: Infinity });
  });

  test('top-1 counts no row as agreeing that has NaN on one side', () => {
    const whole = [NaN, NaN, NaN];
    const top1 = (before: number[], after: number[]) =>
      compare([...before, 1, 5, 2], [...after, 1, 5, 2], [2, 3]).top1Agreement;
    expect(top1(whole, [3, 2, 1])).toBe(0.5);
    expect(top1([3, 2, 1], whole)).toBe(0.5);
    expect(top1([3, NaN, 1], [3, 2, 1])).toBe(0.5);
    expect(top1(whole, whole)).toBe(1);
    expect(top1([NaN, 2, 1], [NaN, 1, 2])).toBe(0.5);
  });
});

test('quantscope verify fails where the export gives NaN or infinity that the original does not', async () => {
  const rooted = (offset: number) => ({
    node: [node('Add', ['x', 'offset'], ['s']), node('Sqrt', ['s'], ['y'])],
    initializer: [floatTensor('offset', [], [offset])],
    input: [value('x', [2, 3])],
    output: [value('y', [2, 3])],
  });
  const file = writeFile(folder, model(rooted(100)));
  const other = writeFile(folder, model(rooted(-100)));
  for (const json of [[], ['--json']]) {
    const { stdout, stderr, status } = await runCommand(
      ...['verify', file, other, '--samples', '2', ...json],
    );
    expect(status).toBe(1);
    expect(stderr).toContain('output y: 12 NaN that the original does not have');
    expect(stdout.split('\n').length).toBeGreaterThan(2);
    if (json.length > 0)
      expect((JSON.parse(stdout) as VerifyResult).outputs[0]!.nonFinite).toMatchObject({
        before: 0,
        newNaN: 12,
      });
  }
});

test('quantscope verify warns of NaN that the export does not have, and compares the rest', async () => {
  // y0 = sqrt(x + offset) of 3 of 6 values; the others are x.
  const rooted = (offset: number) => ({
    node: [
      node('Add', ['x', 'offset'], ['s']),
      node('Sqrt', ['s'], ['r']),
      node('Concat', ['r', 'x'], ['y'], { attribute: [{ name: 'axis', type: 2, i: 0 }] }),
    ],
    initializer: [floatTensor('offset', [], [offset])],
    input: [value('x', [1, 3])],
    output: [value('y', [2, 3])],
  });
  const file = writeFile(folder, model(rooted(-100)));
  const other = writeFile(folder, model(rooted(100)));
  const { stdout, stderr, status } = await runCommand('verify', file, other, '--samples', '2');
  expect(status).toBe(0);
  expect(stderr).toBe(
    'quantscope: warning: output y: 6 values that are NaN or infinite in the original are others in the export\n',
  );
  expect(stdout).toMatch(/^y +- +1\.000000 +0\.000 +50\.0 %$/m);
  expect(stdout).toContain(
    'y is not finite in 6 values of the original alone; the figures are of the other 6, which are equal',
  );
});

test('quantscope verify --json keeps the contract', () => {
  const { stdout, status } = runProcess(
    ...['verify', small, small, '--samples', '2', '--seed', '7', '--json'],
  );
  expect(status).toBe(0);
  const result = JSON.parse(stdout) as VerifyResult;
  expect(result).toMatchObject({
    samples: 2,
    seed: 7,
    bytesBefore: fs.statSync(small).size,
    bytesAfter: fs.statSync(small).size,
  });
  expect(Object.keys(result.outputs[0]!)).toEqual(
    expect.arrayContaining(['name', 'sqnrDb', 'cosine', 'maxAbsError', 'top1Agreement']),
  );
  expect(result.msBefore).toBeGreaterThan(0);
});
