import * as fs from 'node:fs';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import { runBeside } from '../../../electron/engine/runtime/run-models.ts';
import { Session } from '../../../electron/engine/session.ts';
import { testPool } from '../../helpers/engine.ts';
import { recipe } from '../../helpers/export.ts';
import { floats, safetensorsFile } from '../../helpers/safetensors.ts';
import { SafetensorsExporter } from '../../helpers/safetensors-export.ts';
import { temporaryFolder } from '../../helpers/temporary.ts';

const pool = testPool();
const exporter = new SafetensorsExporter(pool, temporaryFolder());
const never = new AbortController().signal;

test('an export that would be no smaller is the source byte for byte', async () => {
  const { source, out, refused } = await exporter.single(
    { 'fc.weight': floats([4, 4]) },
    recipe('int8', { minElements: 0 }),
  );
  expect(refused).toEqual(['the whole export would be at least as large as its source']);
  expect(fs.readFileSync(out).equals(fs.readFileSync(source))).toBe(true);
});

test('NaN is counted and kept by integers, and cast by floats', async () => {
  const weight = floats([64, 64]);
  new DataView(weight.bytes.buffer).setFloat32(40, NaN, true);
  const asInteger = await exporter.single({ 'fc.weight': weight }, recipe('int8'));
  expect(asInteger.file.tensors['fc.weight']!.dtype).toBe('F32');
  const asFloat = await exporter.single({ 'fc.weight': weight }, recipe('float16'));
  expect(asFloat.file.tensors['fc.weight']!.dtype).toBe('F16');
});

test('onnxruntime is not asked to run it', async () => {
  const where = exporter.folderOf({
    'm.safetensors': safetensorsFile({ 'fc.weight': floats([4, 4]) }),
  });
  const file = path.join(where, 'm.safetensors');
  const session = Session.open(file, pool);
  await expect(
    runBeside(session, 'none', file, { samples: 1, seed: 0, inputs: null }, { signal: never }),
  ).rejects.toMatchObject({
    code: 'UNSUPPORTED',
    message: `${file}, format: is safetensors, which no runtime here can run (found safetensors, expected ONNX or LiteRT)`,
  });
  session.close();
});
