import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { COMPUTER_FEATURES, featureWords, type Computer } from '../../../shared/computer.ts';
import { PRESET_DESCRIPTIONS } from '../../../shared/presets.ts';
import { runCommand as run, runProcess } from '../../helpers/command-line.ts';
import { matMulModel } from '../../helpers/onnx-model.ts';
import { REAL_MODELS } from '../../helpers/real-models.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const sample = REAL_MODELS[2]!.file;

/** @param how in a process of its own, or in this one */
async function json(args: readonly string[], how: typeof run | typeof runProcess = run) {
  const { status, stdout, stderr } = await how(...args, '--json');
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return JSON.parse(stdout) as Record<string, unknown>;
}

describe('the JSON contract', () => {
  test('inspect', async () => {
    const facts = await json(['inspect', sample], runProcess);
    for (const key of [
      'file',
      'format',
      'fileBytes',
      'producer',
      'opsets',
      'parameters',
      'tensorBytes',
      'footprint',
      'tensors',
    ])
      expect(facts).toHaveProperty(key);
    expect(facts['fileBytes']).toBe(fs.statSync(sample).size);
    expect(Object.keys(facts['footprint'] as object)).toEqual(
      expect.arrayContaining(['float32', 'float16', 'bfloat16', 'int8', 'int4']),
    );
    const [tensor] = facts['tensors'] as object[];
    expect(Object.keys(tensor!).sort()).toEqual(
      expect.arrayContaining(
        [
          'name',
          'dtype',
          'shape',
          'elements',
          'bytes',
          'layer',
          'op',
          'role',
          'axis',
          'storage',
          'graph',
          'quantization',
        ].sort(),
      ),
    );
    expect(tensor).not.toHaveProperty('data');
  });

  test('analyze, with a second recipe beside the first', async () => {
    const analysis = await json(
      ['analyze', sample, '--recipe', 'int8', '--versus', 'uint8'],
      runProcess,
    );
    expect(analysis['recipe']).toMatchObject({ name: 'int8' });
    const tensors = analysis['tensors'] as Record<string, unknown>[];
    for (const key of [
      'name',
      'layer',
      'op',
      'scheme',
      'quantized',
      'reason',
      'scale',
      'zeroPoint',
      'min',
      'max',
      'clipped',
      'mse',
      'rmse',
      'maxAbsError',
      'sqnrDb',
      'cosine',
      'bytesBefore',
      'bytesAfter',
    ])
      expect(tensors[0]).toHaveProperty(key);
    expect(Object.keys(analysis['total'] as object)).toEqual(
      expect.arrayContaining(['bytesBefore', 'bytesAfter', 'mse', 'sqnrDb']),
    );
    const versus = analysis['versus'] as { recipe: object; tensors: object[] };
    expect(versus.recipe).toMatchObject({ name: 'uint8' });
    expect(versus.tensors).toHaveLength(tensors.length);
    expect(
      tensors.some((row) => row['quantized'] === false && typeof row['reason'] === 'string'),
    ).toBe(true);
  });

  test('export says what it wrote', async () => {
    const out = path.join(folder, 'out.onnx');
    const result = await json(['export', sample, '--recipe', 'int8', '--out', out], runProcess);
    expect(result).toMatchObject({
      out,
      mode: 'qdq',
      bytesBefore: fs.statSync(sample).size,
      bytesAfter: fs.statSync(out).size,
    });
    expect(result['quantized']).toBeGreaterThan(0);
    expect(typeof result['seconds']).toBe('number');
  });

  test('number gives one value in every format, and refuses what is none', async () => {
    const { status, stdout } = await run('number', '-1/3', '--json');
    expect(status).toBe(0);
    const facts = JSON.parse(stdout) as { format: string }[];
    expect(facts.find(({ format }) => format === 'float16')).toMatchObject({
      hex: 'b555',
      bits: '1011010101010101',
      stored: `-0.333251953125${'0'.repeat(48)}`,
      absoluteError: 1 / 12288,
    });
    expect((await run('number', '1/3')).stdout).toContain('2aaaaaab');
    expect((await run('number', 'three')).status).toBe(2);
  });

  test('dtypes lists the formats, 64-bit limits exactly', async () => {
    const { status, stdout } = await run('dtypes', '--json');
    expect(status).toBe(0);
    const formats = JSON.parse(stdout) as { name: string }[];
    expect(formats).toHaveLength(19);
    expect(formats.find(({ name }) => name === 'int64')).toMatchObject({
      kind: 'signed',
      max: '9223372036854775807',
      eps: null,
    });
    expect(formats.find(({ name }) => name === 'bfloat16')).toMatchObject({
      exponentBits: 8,
      fractionBits: 7,
      eps: 0.0078125,
    });
  });

  test('computer says what this one has, and what it means', async () => {
    const { stdout } = await run('computer', '--json');
    const found = JSON.parse(stdout) as Computer;
    expect(found).toMatchObject({ platform: process.platform, architecture: process.arch });
    expect(found.features.map(({ feature }) => feature)).toEqual(COMPUTER_FEATURES);
    const text = (await run('computer')).stdout;
    for (const fact of found.features) {
      const { title, answer, meaning } = featureWords(fact);
      expect(text).toMatch(new RegExp(`^${title} +${answer} .*${meaning}$`, 'm'));
    }
  });

  test('recipes lists the presets', async () => {
    const { stdout } = await run('recipes', '--json');
    expect((JSON.parse(stdout) as { name: string }[]).map(({ name }) => name)).toEqual(
      expect.arrayContaining(['float16', 'bfloat16', 'int8', 'int8-tensor', 'uint8']),
    );
  });

  test('recipes describes every preset in a sentence, in text and in JSON', async () => {
    const presets = JSON.parse((await run('recipes', '--json')).stdout) as {
      name: string;
      description: string;
    }[];
    expect(presets.map(({ name }) => name)).toEqual(Object.keys(PRESET_DESCRIPTIONS));
    const text = (await run('recipes')).stdout;
    for (const { name, description } of presets) {
      expect(description).toBe(PRESET_DESCRIPTIONS[name]);
      expect(text).toContain(description);
    }
    expect(PRESET_DESCRIPTIONS['ort-dynamic']).toMatch(
      /per tensor.*onnxruntime.*int8 is the better/,
    );
  });

  test('an exact result reads back as Infinity', async () => {
    const { stdout, status } = await run(
      'analyze',
      writeConstantModel(),
      '--recipe',
      'float16',
      '--json',
    );
    expect(status).toBe(0);
    expect(stdout).toContain('"sqnrDb": 1e999');
    expect((JSON.parse(stdout) as { total: { sqnrDb: number } }).total.sqnrDb).toBe(Infinity);
  });
});

function writeConstantModel(): string {
  const bytes = Buffer.from(matMulModel(64, 64));
  const half = new Uint8Array(new Float32Array(4096).fill(0.5).buffer);
  // raw_data: tag 9, length 16384.
  const at = bytes.indexOf(Buffer.from([0x4a, 0x80, 0x80, 0x01])) + 4;
  bytes.set(half, at);
  return writeFile(folder, bytes);
}

test('inspect opens a folder that contains only an ONNX model', async () => {
  const parent = path.join(folder, 'one-model');
  fs.mkdirSync(parent);
  fs.copyFileSync(sample, path.join(parent, 'net.onnx'));
  expect(await json(['inspect', parent])).toMatchObject({
    file: parent,
    format: 'onnx',
  });
});

describe('a CSV', () => {
  test('has one row a tensor and recipe', async () => {
    const csv = path.join(folder, 'rows.csv');
    expect(
      (await run('analyze', sample, '--recipe', 'int8', '--versus', 'float16', '--csv', csv))
        .status,
    ).toBe(0);
    const lines = fs.readFileSync(csv, 'utf8').trim().split('\r\n');
    expect(lines[0]).toMatch(/^recipe,name,layer,op,/);
    expect(lines).toHaveLength(1 + 2 * 250);
    expect(lines[1]).toMatch(/^int8,/);
  });

  test('has no cell that a spreadsheet would run', async () => {
    const csv = path.join(folder, 'formula.csv');
    const name = "-1+cmd|' /C calc'!A0";
    const file = writeFile(folder, matMulModel(64, 64, { weight: name }));
    expect((await run('analyze', file, '--recipe', 'int8', '--csv', csv)).status).toBe(0);
    expect(fs.readFileSync(csv, 'utf8')).toContain(`\r\nint8,'${name},`);
  });
});

describe('what goes wrong is one line and a status', () => {
  test.each<[string, string[], number, RegExp]>([
    ['no command', [], 2, /^$/],
    ['an unknown command', ['frobnicate'], 2, /unknown command 'frobnicate'/],
    ['a missing model', ['inspect'], 2, /MODEL is missing/],
    ['an unknown option', ['inspect', sample, '--frob'], 2, /--frob/],
    ['a missing recipe', ['analyze', sample], 2, /--recipe is missing/],
    [
      'an unknown mode',
      ['export', sample, '--recipe', 'int8', '--out', 'x', '--mode', 'none'],
      2,
      /--mode must be one of qdq, dynamic, static, float, float16, nbits/,
    ],
    [
      'a file that is not there',
      ['inspect', path.join(folder, 'none.onnx')],
      1,
      /^quantscope: NOT_A_FILE: .*none\.onnx.*no such file/,
    ],
    ['a folder', ['inspect', folder], 1, /^quantscope: NOT_A_FILE: .*a directory.*a regular file/],
    ['a device', ['inspect', '/dev/zero'], 1, /^quantscope: NOT_A_FILE: .*a device/],
    [
      'an empty file',
      ['inspect', writeFile(folder, new Uint8Array(0))],
      1,
      /^quantscope: EMPTY_FILE/,
    ],
    [
      'a Git LFS pointer',
      [
        'inspect',
        writeFile(
          folder,
          Buffer.from('version https://git-lfs.github.com/spec/v1\noid sha256:0\n'),
        ),
      ],
      1,
      /UNKNOWN_FORMAT: .*named \.onnx and is not ONNX.*Git LFS pointer/,
    ],
    [
      'a web page',
      ['inspect', writeFile(folder, Buffer.from('<!DOCTYPE html><html>'))],
      1,
      /UNKNOWN_FORMAT: .*a web page/,
    ],
    [
      'noise',
      ['inspect', writeFile(folder, Buffer.from([0xff, 0xfe, 1, 2]), 'noise.bin')],
      1,
      /UNKNOWN_FORMAT: .*ff fe 01 02.*ONNX/,
    ],
    [
      'a preset that does not exist',
      ['analyze', sample, '--recipe', 'int7'],
      1,
      /BAD_RECIPE: .*int7.*int8/,
    ],
    [
      'a recipe that is not JSON',
      ['analyze', sample, '--recipe', writeFile(folder, Buffer.from('{'), 'r.json')],
      1,
      /BAD_RECIPE: .*r\.json.*not JSON/,
    ],
    [
      'a recipe with a wrong field',
      [
        'analyze',
        sample,
        '--recipe',
        writeFile(
          folder,
          Buffer.from('{"version":1,"name":"x","default":{"dtype":"int9"}}'),
          'bad.json',
        ),
      ],
      1,
      /BAD_RECIPE: .*bad\.json.*default\.dtype.*int9/,
    ],
    [
      'a pattern that does not compile',
      [
        'analyze',
        sample,
        '--recipe',
        writeFile(
          folder,
          Buffer.from(
            '{"version":1,"name":"x","default":null,"rules":[{"match":{"name":"("},"scheme":null}]}',
          ),
          'pattern.json',
        ),
      ],
      1,
      /BAD_RECIPE: .*rules\.0\.match\.name/,
    ],
    [
      'a target in no folder',
      ['export', sample, '--recipe', 'int8', '--out', path.join(folder, 'no/where.onnx')],
      1,
      /^quantscope: TARGET: .*no such folder/,
    ],
    [
      'the source as target',
      ['export', sample, '--recipe', 'int8', '--out', sample],
      1,
      /^quantscope: TARGET: /,
    ],
  ])('%s', async (_, args, status, pattern) => {
    const result = await run(...args);
    expect(result.status).toBe(status);
    expect(result.stderr).toMatch(pattern);
    expect(result.stderr).not.toMatch(/\n\s+at /);
    if (status === 1) expect(result.stderr.trim().split('\n')).toHaveLength(1);
  });
});
