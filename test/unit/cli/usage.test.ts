import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { COMMANDS } from '../../../electron/cli/commands.ts';
import { byteSize } from '../../../electron/cli/usage.ts';
import { runCommand as run, runProcess } from '../../helpers/command-line.ts';
import { matMulModel } from '../../helpers/onnx-model.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const model = writeFile(folder, matMulModel(64, 64));

describe('help', () => {
  test('lists every command with its description', () => {
    const { status, stdout, stderr } = runProcess('--help');
    expect([status, stderr]).toEqual([0, '']);
    for (const { name } of COMMANDS) expect(stdout).toMatch(new RegExp(`^  ${name} `, 'm'));
  });

  test('of a command names its options and gives examples', async () => {
    const { status, stdout, stderr } = await run('export', '--help');
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^Usage: quantscope export MODEL --recipe R --out FILE \[options\]/);
    for (const option of ['--recipe <R>', '--out <FILE>', '--mode <MODE>', '--json'])
      expect(stdout).toContain(option);
    expect(stdout).toContain('$ quantscope export model.onnx --recipe int8 --out model.int8.onnx');
    expect((await run('help', 'export')).stdout).toBe(stdout);
  });

  test.each(COMMANDS)('$name has at least two examples of its own', ({ name, examples }) => {
    expect(examples.length).toBeGreaterThanOrEqual(2);
    for (const example of examples) expect(example).toMatch(new RegExp(`^quantscope ${name}( |$)`));
  });

  test('--version prints the version alone', () => {
    const { status, stdout } = runProcess('--version');
    expect([status, stdout]).toEqual([0, expect.stringMatching(/^\S+\n$/)]);
  });
});

describe('wrong usage is one line that names the help to read, and status 2', () => {
  test.each<[string[], string]>([
    [['analyze', model], '--recipe is missing; see quantscope analyze --help'],
    [['verify', model], 'EXPORTED is missing; see quantscope verify --help'],
    [['frobnicate'], "unknown command 'frobnicate'; see quantscope --help"],
    [
      [model],
      `${model} is not a command: a command must come before a file, as in quantscope inspect ${model}; see quantscope --help`,
    ],
    [['exprot', model], "unknown command 'exprot' (Did you mean export?); see quantscope --help"],
    [
      ['analyze', model, '--recipee', 'int8'],
      "unknown option '--recipee' (Did you mean --recipe?); see quantscope analyze --help",
    ],
    [
      ['inspect', model, model],
      "too many arguments for 'inspect'. Expected 1 argument but got 2.; see quantscope inspect --help",
    ],
    [['number', 'three'], 'three is not a number'],
  ])('%j', async (args, message) => {
    const { status, stdout, stderr } = await run(...args);
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/^[^\n]+\n$/);
    expect(stderr).toContain(`quantscope: ${message.replace('2.;', '2;')}`);
  });
});

describe('with --json an error is one JSON object on stderr', () => {
  test('of a file', async () => {
    const file = path.join(folder, 'none.onnx');
    const { status, stdout, stderr } = await run('inspect', file, '--json');
    expect([status, stdout]).toEqual([1, '']);
    expect(JSON.parse(stderr)).toEqual({
      error: {
        code: 'NOT_A_FILE',
        message: expect.stringContaining('no such file') as string,
        file,
        found: 'no such file',
      },
    });
  });

  test('of usage', async () => {
    const { status, stdout, stderr } = await run('analyze', model, '--json');
    expect([status, stdout]).toEqual([2, '']);
    expect(JSON.parse(stderr)).toEqual({
      error: {
        code: 'BAD_USAGE',
        message: '--recipe is missing; see quantscope analyze --help',
      },
    });
  });
});

describe('a size', () => {
  test.each([
    ['25MB', 25e6],
    ['25 mb', 25e6],
    ['24MiB', 24 * 2 ** 20],
    ['1.5GB', 1.5e9],
    ['0.5KiB', 512],
    ['12B', 12],
    ['1234', 1234],
  ])('%s is %d bytes', (text, bytes) => {
    expect(byteSize({ 'max-bytes': text }, 'max-bytes')).toBe(bytes);
  });

  test.each(['1.5', 'MB', '25XB', '-3MB', '1e3', '99999TB99', '99999999999TB'])(
    '%s is refused',
    (text) => {
      expect(() => byteSize({ 'max-bytes': text }, 'max-bytes')).toThrow(
        /--max-bytes must be a size such as 25MB, 24MiB or 25000000/,
      );
    },
  );
});

test('a negative number is a value, not an option', async () => {
  for (const args of [
    ['-1/3', '--json'],
    ['--json', '-1/3'],
    ['--json', '--', '-1/3'],
  ]) {
    const { status, stdout } = await run('number', ...args);
    expect(status).toBe(0);
    expect(stdout).toContain('"hex": "b555"');
  }
});

test.each([
  [['int8', '--ranges', 'r.json'], '--ranges is for --mode static, found qdq'],
  [
    ['static-int8', '--calibrate', '.'],
    '--calibrate is for --mode static and for recipes of GPTQ, found qdq and static-int8',
  ],
  [
    ['static-int8', '--mode', 'static', '--calibrate', '.', '--ranges', 'r.json'],
    '--calibrate and --ranges both give ranges: give one of them',
  ],
])('export --recipe %j: what would be left unread is refused', async (flags, message) => {
  const { status, stderr } = await run(
    'export',
    model,
    '--out',
    path.join(folder, 's.onnx'),
    '--recipe',
    ...flags,
  );
  expect(stderr).toContain(message);
  expect(status).toBe(2);
});

test.each([
  ['nbits', '3', '--accuracy-level must be 0, 1 or 4, found 3'],
  ['qdq', '4', '--accuracy-level is for --mode nbits, found qdq'],
])('an accuracy level in mode %s of %s is wrong usage', async (mode, level, words) => {
  const flags = ['--recipe', 'int4-block32', '--mode', mode, '--accuracy-level', level];
  const { status, stderr } = await run(
    'export',
    model,
    ...flags,
    '--out',
    path.join(folder, 'l.onnx'),
  );
  expect(status).toBe(2);
  expect(stderr).toContain(words);
});
