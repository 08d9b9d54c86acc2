import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { toJson } from '../../../electron/cli/json.ts';
import { AppError, escaped, printable } from '../../../shared/errors.ts';
import { findPreset } from '../../../shared/presets.ts';
import { runCommand as run } from '../../helpers/command-line.ts';
import {
  floatTensor,
  model as onnxModel,
  node,
  randomValues,
  value,
} from '../../helpers/onnx-model.ts';
import { temporaryFolder } from '../../helpers/temporary.ts';

/** A model whose op, tensors, node and producer are called so. */
function writeHostileModel(folder: string): string {
  const file = path.join(folder, 'm.onnx');
  const bytes = onnxModel(
    {
      node: [
        node('MatMul', ['x', HOSTILE], ['t'], { name: HOSTILE }),
        node(HOSTILE, ['t', `${HOSTILE}2`], ['y'], { domain: 'custom' }),
      ],
      initializer: [HOSTILE, `${HOSTILE}2`].map((name) =>
        floatTensor(name, [64, 64], randomValues(4096, 1)),
      ),
      input: [value('x', [1, 64])],
      output: [value('y', [1, 64])],
    },
    { imports: [{ domain: 'custom', version: 1 }] },
  );
  fs.writeFileSync(file, bytes);
  return file;
}

/** ESC [2J clears the screen, U+009B is the same start in one character, U+202E turns the text around. */
const HOSTILE = 'a\u001b[2J\u009b2J\u202eb\u2066c\u0007';

describe('JSON', () => {
  test('is of infinite numbers 1e999, and of NaN null', () => {
    expect(JSON.parse(toJson({ a: [Infinity, -Infinity, NaN, 1] }))).toEqual({
      a: [Infinity, -Infinity, null, 1],
    });
    expect(toJson([Infinity])).toBe('[\n  1e999\n]');
  });

  test.each(['\u0000infinity\u0000', '-\u0000infinity\u0000', 'Infinity', '1e999'])(
    'keeps a tensor that is called %j, as a value and as a key',
    (name) => {
      const value = { name, [name]: -Infinity };
      expect(JSON.parse(toJson(value))).toEqual(value);
    },
  );
});

test('control and direction characters are escaped in every message, and only once', () => {
  expect(printable(HOSTILE)).toBe('a\\u001b[2J\\u009b2J\\u202eb\\u2066c\\u0007');
  expect(escaped(escaped(HOSTILE))).toBe(printable(HOSTILE));
  expect(new AppError('MALFORMED', `op ${HOSTILE}`).message).toBe(`op ${printable(HOSTILE)}`);
  for (let code = 0; code < 0x3000; code++) {
    const isHostile = code < 32 || (code >= 0x7f && code < 0xa0);
    const isTurning = (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
    if (isHostile || isTurning) expect(escaped(String.fromCharCode(code))).toMatch(/^\\u/);
  }
});

test('no command prints what a terminal obeys, from op types, tensor or recipe names', async () => {
  const folder = temporaryFolder();
  const model = writeHostileModel(folder);
  const recipe = path.join(folder, 'r.json');
  fs.writeFileSync(
    recipe,
    JSON.stringify({ ...findPreset('int8'), name: HOSTILE, minElements: 0 }),
  );
  const commands = [
    ['inspect', model],
    ['inspect', model, '--json'],
    ['analyze', model, '--recipe', recipe],
    ['analyze', model, '--recipe', recipe, '--json'],
    ['plan', model, '--recipe', recipe, '--min-sqnr', '20', '--json'],
    ['export', model, '--recipe', recipe, '--out', path.join(folder, 'o.onnx')],
    ['inspect', path.join(folder, `missing${HOSTILE.replace('/', '')}.onnx`)],
  ];
  for (const command of commands) {
    const { stdout, stderr } = await run(...command);
    expect(stdout + stderr, command.join(' ')).not.toMatch(
      /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/,
    );
    if (command[0] !== 'export') expect(stdout + stderr).toContain('\\u009b');
    if (command.includes('--json')) expect(JSON.stringify(JSON.parse(stdout))).toContain('\u009b');
  }
});
