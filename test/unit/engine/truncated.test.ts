import { expect, test } from 'vitest';
import { AppError, briefMessage, toErrorData, type ErrorData } from '../../../shared/errors.ts';
import { endsEarly } from '../../../electron/engine/formats/ends-early.ts';
import { openModel } from '../../../electron/engine/formats/registry.ts';
import { denseModel } from '../../helpers/litert-model.ts';
import { matMulModel } from '../../helpers/onnx-model.ts';
import { floats, safetensorsFile } from '../../helpers/safetensors.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const ADVICE = 'copy or download it again';

test.each([
  ['m.onnx', matMulModel(64, 64), 'at least 16.5 kB'],
  ['m.safetensors', safetensorsFile({ w: floats([64, 64]) }), '16.5 kB'],
  ['m.tflite', denseModel(64, 64, new Float32Array(4096)).bytes, 'at least'],
])('%s cut to half its size is said to end early', (name, bytes, expected) => {
  const half = bytes.slice(0, Math.floor(bytes.length / 2));
  const words = new RegExp(
    `the file ends early: ${expected}.* expected, ${(half.length / 1000).toFixed(1)} kB found; ${ADVICE}`,
  );
  const file = writeFile(folder, half, name);
  expect(() => openModel(file)).toThrow(words);
  expect(() => openModel(file)).toThrow(expect.objectContaining({ code: 'MALFORMED' }));
});

test.each([
  ['m.onnx', matMulModel(64, 64)],
  ['m.safetensors', safetensorsFile({ w: floats([64, 64]) })],
  ['m.tflite', denseModel(64, 64, new Float32Array(4096)).bytes],
])(
  'a window says of %s cut to half what happened and what to do, without places in it',
  (name, bytes) => {
    const file = writeFile(folder, bytes.slice(0, Math.floor(bytes.length / 2)), `half-${name}`);
    expect(briefMessage(dataOf(() => openModel(file)))).toMatch(
      new RegExp(
        `^half-${name}: the file ends early: [^:,()]+ expected, [^:,()]+ found; ${ADVICE}$`,
      ),
    );
  },
);

test('a window says of bytes that break a format that the file is damaged', () => {
  const error = new AppError('MALFORMED', 'field number 0', { file: '/m/zero.onnx', offset: 3 });
  expect(briefMessage(error.toData())).toBe(
    'zero.onnx: the file is damaged, or a tool wrote it wrongly; copy, download or export it again',
  );
});

test('a window names the tensor and what was found where there is no byte to name', () => {
  const error = new AppError('UNSUPPORTED', 'the shape is not known', {
    file: '/models/a.onnx',
    field: 'w',
    found: '(batch)',
  });
  expect(briefMessage(error.toData())).toBe('a.onnx, w: the shape is not known (found (batch))');
  const limit = new AppError('LIMIT', 'too many nodes', { file: 'a.onnx', offset: 9, found: '3' });
  expect(briefMessage(limit.toData())).toBe('a.onnx: too many nodes (found 3)');
});

function dataOf(action: () => unknown): ErrorData {
  try {
    action();
  } catch (error) {
    return toErrorData(error);
  }
  throw new Error('nothing was thrown');
}

test('a safetensors file cut within its header is said to end early', () => {
  const file = writeFile(
    folder,
    safetensorsFile({ w: floats([4, 4]) }).slice(0, 20),
    'h.safetensors',
  );
  expect(() => openModel(file)).toThrow(
    /the file ends early: at least \d+ bytes expected, 20 bytes found/,
  );
});

test.each([
  [2_500_000, 1_000_000, false, `the file ends early: 2.5 MB expected, 1.0 MB found; ${ADVICE}`],
  [999_999, 12, true, `the file ends early: at least 1.0 MB expected, 12 bytes found; ${ADVICE}`],
  [
    1_000_001,
    1_000_000,
    false,
    `the file ends early: 1000001 bytes expected, 1000000 bytes found; ${ADVICE}`,
  ],
])('%d bytes expected and %d found', (expected, found, isLeast, words) => {
  expect(endsEarly(expected, found, isLeast)).toBe(words);
});

test.each(['m.onnx', 'm.tflite', 'm.safetensors', 'm.bin'])(
  'a text file named %s is said to be one',
  (name) => {
    for (const text of ['readme: this is no model\n'.repeat(40), 'Zürich\n'.repeat(90)])
      expect(() => openModel(writeFile(folder, Buffer.from(text), name))).toThrow(
        /\(found a text file; choose the model file itself, expected/,
      );
  },
);
