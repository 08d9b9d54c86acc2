import * as crypto from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { openModel } from '../../../electron/engine/formats/registry.ts';
import type { DtypeName } from '../../../shared/dtypes.ts';
import { BUILTIN_OPERATORS } from '../../../electron/engine/formats/litert/read/schema.ts';
import { testPool } from '../../helpers/engine.ts';
import { exporter, recipe } from '../../helpers/export.ts';
import { list, plainModel, type Plain } from '../../helpers/litert-tree.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';
import { bytesOf, float32Of, readGolden } from '../quantize/goldens.ts';

interface Stored {
  readonly tensors: readonly {
    shape: number[];
    axis: number;
    scale: string | null;
    codes: string;
  }[];
  readonly operators: Readonly<Record<string, { version: number; asymmetric: boolean | null }>>;
}

const { models } = readGolden<{
  models: { name: string; float: string; dynamic: Stored; float16: Stored }[];
}>('litert_models.json');

const folder = temporaryFolder();
const exported = exporter(testPool(), folder);

/** The converter gives these one scale a tensor. */
const asConverter = recipe('litert-dynamic', {
  rules: ['GATHER', 'BATCH_MATMUL'].map((op) => ({
    match: { op },
    scheme: { granularity: 'tensor' as const },
  })),
});

/** What a file stores in a dtype, in the golden's form. */
function storedIn(file: string, dtype: DtypeName): Stored['tensors'] {
  const opened = openModel(file);
  try {
    const tensors = opened.model.tensors.filter(
      (tensor) => tensor.dtype === dtype && tensor.elements >= 1024,
    );
    return tensors
      .map(({ shape, quantization, data }) => ({
        shape: [...shape],
        axis: quantization?.axis ?? 0,
        scale:
          quantization === null
            ? null
            : Buffer.from(Float32Array.from(quantization.scale).buffer).toString('base64'),
        codes: crypto
          .createHash('sha256')
          .update(opened.files[0]!.read(data.ranges[0]!.offset, data.ranges[0]!.length))
          .digest('hex'),
      }))
      .sort((a, b) => compareShapes(a.shape, b.shape));
  } finally {
    opened.close();
  }
}

function compareShapes(a: readonly number[], b: readonly number[]): number {
  for (let axis = 0; axis < Math.min(a.length, b.length); axis++)
    if (a[axis] !== b[axis]) return a[axis]! - b[axis]!;
  return a.length - b.length;
}

function operatorsOf(file: string): Stored['operators'] {
  const model = plainModel(file);
  const codes = list(model, 'operator_codes');
  return Object.fromEntries(
    list(model, 'subgraphs').flatMap((graph) =>
      list(graph, 'operators').map((operator) => {
        const code = codes[Number(operator['opcode_index'] ?? 0)]!;
        const name = BUILTIN_OPERATORS[Number(code['builtin_code'] ?? 0)]!;
        const options = operator['builtin_options'] as Plain | undefined;
        const hasOption = ['FULLY_CONNECTED', 'BATCH_MATMUL'].includes(name);
        const asymmetric = hasOption ? Boolean(options?.['asymmetric_quantize_inputs'] ?? 0) : null;
        return [name, { version: Number(code['version'] ?? 1), asymmetric }];
      }),
    ),
  );
}

describe.each(models)('$name, as the converter makes it', ({ name, float, dynamic, float16 }) => {
  const file = writeFile(folder, bytesOf(float), `${name}.tflite`);

  test('in dynamic range: the same scales, codes, operators and versions', async () => {
    const { out } = await exported(file, asConverter, 'dynamic');
    expect(dynamic.tensors.length).toBeGreaterThan(0);
    expect(storedIn(out, 'int8')).toEqual(dynamic.tensors);
    expect(operatorsOf(out)).toEqual(dynamic.operators);
    for (const { scale } of dynamic.tensors)
      expect(float32Of(scale!).every((value) => value > 0)).toBe(true);
  });

  test('as float16: the same bits', async () => {
    const { out } = await exported(file, recipe('float16'), 'float');
    expect(float16.tensors.length).toBeGreaterThan(0);
    expect(storedIn(out, 'float16')).toEqual(float16.tensors);
  });
});
