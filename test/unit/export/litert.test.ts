import * as crypto from 'node:crypto';
import * as fs from 'node:fs';
import { describe, expect, test } from 'vitest';
import { float16Bits, float16Value } from '../../../shared/float16.ts';
import { Session } from '../../../electron/engine/session.ts';
import { AppError } from '../../../shared/errors.ts';
import type { TensorRef } from '../../../shared/model.ts';
import type { SchemeFields } from '../../../shared/scheme.ts';
import { i32, i8, ints, raw, table, tables, text, u32, u64, u8 } from '../../helpers/flatbuffer.ts';
import {
  branchModel,
  bytesOf,
  litertModel,
  loopModel,
  type GraphSpec,
  type ModelSpec,
  type OperatorSpec,
  type TensorSpec,
} from '../../helpers/litert-model.ts';
import { list, plainModel, type Plain } from '../../helpers/litert-tree.ts';
import { testPool } from '../../helpers/engine.ts';
import { exporter, recipe } from '../../helpers/export.ts';
import { normalValues } from '../../helpers/random.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const pool = testPool();
const exported = exporter(pool, folder);
let count = 0;

function write(spec: ModelSpec | Uint8Array): string {
  const bytes = spec instanceof Uint8Array ? spec : litertModel(spec).bytes;
  return writeFile(folder, bytes, `model-${count++}.tflite`);
}

function tensorsOf(file: string): readonly TensorRef[] {
  const session = Session.open(file, pool);
  session.close();
  return session.tensors;
}

function scheme(changes: Partial<SchemeFields>) {
  const int8 = recipe('int8');
  return recipe('int8', { default: { ...int8.default!, ...changes }, minElements: 0 });
}

const opcodeOf = (model: Plain, operator: Plain): Plain =>
  list(model, 'operator_codes')[Number(operator['opcode_index'] ?? 0)]!;
const operatorsOf = (model: Plain, graph = 0): readonly [number, Plain][] =>
  list(list(model, 'subgraphs')[graph]!, 'operators').map((operator) => [
    Number(opcodeOf(model, operator)['builtin_code']),
    operator,
  ]);
const bufferOf = (model: Plain, number: number): Buffer => {
  const data = list(model, 'buffers')[number]!['data'];
  return typeof data === 'string'
    ? Buffer.from(data, 'base64')
    : Buffer.from((data ?? []) as number[]);
};

const OUT = 32;
const IN = 64;

/** x -> FULLY_CONNECTED(w, b) -> y, with all that an export has to carry around it. */
function dense(changes: Partial<ModelSpec> = {}, graph: Partial<GraphSpec> = {}): ModelSpec {
  return {
    graphs: [
      {
        name: 'main',
        tensors: [
          { name: 'x', shape: [1, IN], extra: { 7: ints([-1, IN]) } },
          { name: 'w', shape: [OUT, IN], buffer: 1 },
          { name: 'b', shape: [OUT], buffer: 2 },
          { name: 'y', shape: [1, OUT] },
          { name: 'z', shape: [1, OUT] },
        ],
        operators: [
          {
            op: 'FULLY_CONNECTED',
            inputs: [0, 1, 2],
            outputs: [3],
            options: [8, table({ 0: i8(1) })],
          },
          {
            op: 'CUSTOM',
            inputs: [3, -1],
            outputs: [4],
            customCode: 'Mine',
            version: 4,
            extra: { 5: raw(Uint8Array.of(1, 2, 3)), 7: raw(Uint8Array.of(0, 1)), 8: ints([2]) },
          },
        ],
        inputs: [0],
        outputs: [4],
        ...graph,
      },
    ],
    buffers: [
      bytesOf(normalValues(OUT * IN, 1)),
      bytesOf(normalValues(OUT, 2)),
      Uint8Array.from([...Buffer.from('1.5.0'), ...new Uint8Array(11)]),
      Uint8Array.of(7, 7, 7),
    ],
    metadata: [
      ['min_runtime_version', 3],
      ['theirs', 4],
    ],
    extra: {
      7: tables([
        table({
          0: tables([table({ 0: text('in'), 1: u32(0) })]),
          1: tables([table({ 0: text('out'), 1: u32(4) })]),
          2: text('serve'),
        }),
      ]),
    },
    ...changes,
  };
}

describe('a weight-only export', () => {
  test('stores codes under the old name, a DEQUANTIZE before the first use, and shows its scales when opened', async () => {
    const file = write(dense());
    const { out, names } = await exported(file, recipe('int8'));
    expect(names).toEqual(['w']);
    const model = plainModel(out);
    expect(operatorsOf(model).map(([op]) => op)).toEqual([6, 9, 32]);
    const [[, dequantize], [, layer]] = operatorsOf(model) as [[number, Plain], [number, Plain]];
    expect(dequantize).toMatchObject({ inputs: [1], outputs: [5] });
    expect(layer).toMatchObject({ inputs: [0, 5, 2], outputs: [3] });
    expect(opcodeOf(model, dequantize)).toMatchObject({ version: 5 });
    expect(opcodeOf(model, layer)).toMatchObject({ version: 1 });
    const [w] = tensorsOf(out);
    expect(w).toMatchObject({
      name: 'w',
      dtype: 'int8',
      shape: [OUT, IN],
      role: 'weight',
      op: 'FULLY_CONNECTED',
    });
    const session = Session.open(file, pool);
    const { reports } = await session.analyze(recipe('int8'), {
      signal: new AbortController().signal,
    });
    session.close();
    expect(w!.quantization).toEqual({
      scale: reports[0]!.scale,
      zeroPoint: new Array(OUT).fill(0),
      axis: 0,
      blockSize: null,
    });
  });

  test('restores the values to half a step', async () => {
    const file = write(dense());
    const { out } = await exported(file, recipe('int8'));
    const codes = new Int8Array(bufferOf(plainModel(out), 1));
    const { scale } = tensorsOf(out)[0]!.quantization!;
    const values = normalValues(OUT * IN, 1);
    expect(codes).toHaveLength(values.length);
    for (const [index, value] of values.entries()) {
      const step = scale[Math.floor(index / IN)]!;
      expect(Math.abs(codes[index]! * step - value)).toBeLessThanOrEqual(step * 0.5001);
    }
  });

  test('carries everything else as it was', async () => {
    const file = write(dense());
    const before = crypto.createHash('sha256').update(fs.readFileSync(file)).digest('hex');
    const { out } = await exported(file, recipe('int8'));
    expect(crypto.createHash('sha256').update(fs.readFileSync(file)).digest('hex')).toBe(before);
    const [source, made] = [plainModel(file), plainModel(out)];
    const rest = ({
      operator_codes: _,
      subgraphs: __,
      buffers: ___,
      metadata: ____,
      ...others
    }: Plain): Plain => others;
    expect(rest(made)).toEqual(rest(source));
    expect(list(made, 'operator_codes').slice(0, 2)).toEqual(list(source, 'operator_codes'));
    const [graph, old] = [list(made, 'subgraphs')[0]!, list(source, 'subgraphs')[0]!];
    expect({ ...graph, tensors: 0, operators: 0 }).toEqual({ ...old, tensors: 0, operators: 0 });
    for (const index of [0, 2, 3, 4])
      expect(list(graph, 'tensors')[index]).toEqual(list(old, 'tensors')[index]);
    expect({ ...list(graph, 'operators')[1], inputs: 0 }).toEqual({
      ...list(old, 'operators')[0],
      inputs: 0,
    });
    expect(list(graph, 'operators')[2]).toEqual(list(old, 'operators')[1]);
    expect(list(made, 'metadata').slice(0, 2)).toEqual(list(source, 'metadata'));
    for (const buffer of [0, 2, 4])
      expect(list(made, 'buffers')[buffer]).toEqual(list(source, 'buffers')[buffer]);
  });

  test('says how it was made, once, however often it is made again', async () => {
    const half = await exported(write(dense()), scheme({ dtype: 'float16' }));
    const again = await exported(half.out, scheme({ dtype: 'int8' }));
    const model = plainModel(again.out);
    const names = list(model, 'metadata').map(({ name }) => name);
    expect(names).toEqual([
      'min_runtime_version',
      'theirs',
      'quantscope.recipe',
      'quantscope.version',
    ]);
    const made = bufferOf(model, Number(list(model, 'metadata')[2]!['buffer'])).toString('utf8');
    expect(JSON.parse(made)).toMatchObject({ name: 'int8', default: { dtype: 'int8' } });
  });

  test('raises the least runtime to what its operators need', async () => {
    const word = async (mode: 'qdq' | 'dynamic', name: string): Promise<string> => {
      const { out } = await exported(write(dense()), recipe(name), mode);
      return bufferOf(plainModel(out), 3).toString('latin1').replace(/\0+$/, '');
    };
    expect(await word('qdq', 'int8')).toBe('2.7.0');
    expect(await word('qdq', 'int8-tensor')).toBe('1.14.0');
    expect(await word('dynamic', 'litert-dynamic')).toBe('2.17.0');
    expect(await word('dynamic', 'litert-int4')).toBe('2.18.0');
  });

  test.each<[string, Partial<SchemeFields>, number, number]>([
    ['uint8, asymmetric', { dtype: 'uint8', symmetric: false }, 3, 5],
    ['uint8 per tensor', { dtype: 'uint8', symmetric: true, granularity: 'tensor' }, 3, 1],
    ['int8, asymmetric', { dtype: 'int8', symmetric: false }, 9, 5],
    ['int16 per tensor', { dtype: 'int16', granularity: 'tensor' }, 7, 3],
    ['int4', { dtype: 'int4' }, 17, 6],
    ['float16', { dtype: 'float16' }, 1, 3],
    ['q7', { dtype: 'q7', granularity: 'tensor' }, 9, 2],
  ])(
    '%s has its type, its zero points and the DEQUANTIZE that takes it',
    async (_, changes, type, version) => {
      const file = write(dense());
      const wanted = scheme(changes);
      const { out } = await exported(file, wanted);
      const model = plainModel(out);
      const [[op, dequantize]] = operatorsOf(model) as [[number, Plain]];
      expect(op).toBe(6);
      expect(opcodeOf(model, dequantize)).toMatchObject({ version });
      expect(list(list(model, 'subgraphs')[0]!, 'tensors')[1]!['type']).toBe(type);
      const session = Session.open(file, pool);
      const { reports } = await session.analyze(wanted, { signal: new AbortController().signal });
      session.close();
      const stored = tensorsOf(out)[0]!.quantization;
      if (type === 1) expect(stored).toBeNull();
      else
        expect([stored!.scale, stored!.zeroPoint]).toEqual([
          reports[0]!.scale,
          reports[0]!.zeroPoint,
        ]);
    },
  );

  test('bfloat16 is restored by a CAST, as DEQUANTIZE takes none', async () => {
    const { out } = await exported(write(dense()), recipe('bfloat16'), 'float');
    const model = plainModel(out);
    const [[op, cast]] = operatorsOf(model) as [[number, Plain]];
    expect(op).toBe(53);
    expect(opcodeOf(model, cast)).toMatchObject({ version: 7 });
    expect(cast).toMatchObject({
      inputs: [1],
      outputs: [5],
      builtin_options: { in_data_type: 18, out_data_type: 0 },
    });
    expect(tensorsOf(out)[0]).toMatchObject({
      name: 'w',
      dtype: 'bfloat16',
      role: 'weight',
      axis: 0,
    });
  });

  test.each<[string, Partial<SchemeFields>, 'qdq' | 'float', RegExp]>([
    [
      'blocks',
      { granularity: { block: 32 } },
      'qdq',
      /DEQUANTIZE takes one scale a tensor or a channel, not blocks/,
    ],
    ['float8', { dtype: 'float8_e4m3fn' }, 'qdq', /LiteRT has no float8_e4m3fn/],
    ['uint4', { dtype: 'uint4' }, 'qdq', /DEQUANTIZE takes no uint4/],
    [
      'int16 with zero points',
      { dtype: 'int16', symmetric: false, granularity: 'tensor' },
      'qdq',
      /int16 has zero point 0/,
    ],
    ['int32', { dtype: 'int32', granularity: 'tensor' }, 'qdq', /DEQUANTIZE takes no int32/],
    ['integers in the float mode', {}, 'float', /the float mode stores float types only, not int8/],
  ])('%s: refused with its reason, and the source copied', async (_, changes, mode, reason) => {
    const file = write(dense({}, {}));
    const { bytes, refused } = await exported(file, scheme({ ...changes }), mode);
    expect(refused.join('; ')).toMatch(reason);
    expect(Buffer.compare(bytes, fs.readFileSync(file))).toBe(0);
  });
});

describe('a dynamic export', () => {
  test('gives FULLY_CONNECTED its codes, with the version and options that the converter gives it', async () => {
    const { out } = await exported(write(dense()), recipe('litert-dynamic'), 'dynamic');
    const model = plainModel(out);
    expect(operatorsOf(model).map(([op]) => op)).toEqual([9, 32]);
    const [[, layer]] = operatorsOf(model) as [[number, Plain]];
    expect(layer).toMatchObject({
      inputs: [0, 1, 2],
      builtin_options: { fused_activation_function: 1, asymmetric_quantize_inputs: 1 },
    });
    expect(opcodeOf(model, layer)).toMatchObject({ version: 12 });
    expect(tensorsOf(out)[0]).toMatchObject({ name: 'w', dtype: 'int8' });
  });

  test('leaves -128 out whatever the recipe says, as kernels add products in pairs', async () => {
    const spec = dense();
    const { out } = await exported(
      write({
        ...spec,
        buffers: [
          bytesOf(normalValues(OUT * IN, 1).map((value) => (value > 0 ? value : 3 * value))),
          ...spec.buffers.slice(1),
        ],
      }),
      scheme({ range: { percentile: 90 } }),
      'dynamic',
    );
    const codes = new Int8Array(bufferOf(plainModel(out), 1));
    expect(Math.min(...codes)).toBe(-127);
  });

  test('restores a weight that also feeds an operator without such a kernel, before the first of those', async () => {
    const spec = dense();
    const graph = spec.graphs[0]!;
    const operators: OperatorSpec[] = [
      ...graph.operators,
      { op: 'ADD', inputs: [1, 1], outputs: [5] },
      { op: 'RESHAPE', inputs: [1], outputs: [6] },
    ];
    const tensors: TensorSpec[] = [
      ...graph.tensors,
      { name: 'sum', shape: [OUT, IN] },
      { name: 'flat', shape: [OUT * IN] },
    ];
    const { out } = await exported(
      write({ ...spec, graphs: [{ ...graph, tensors, operators, outputs: [4, 5, 6] }] }),
      recipe('litert-dynamic'),
      'dynamic',
    );
    const operatorsMade = operatorsOf(plainModel(out));
    expect(operatorsMade.map(([op]) => op)).toEqual([9, 32, 6, 0, 22]);
    expect(operatorsMade.map(([, { inputs }]) => inputs)).toEqual([
      [0, 1, 2],
      [3, -1],
      [1],
      [7, 7],
      [7],
    ]);
  });

  test.each<
    [string, OperatorSpec['op'], readonly number[], Partial<OperatorSpec>, string, number | null]
  >([
    ['CONV_2D per channel', 'CONV_2D', [16, 3, 3, 8], {}, 'channel', 5],
    ['CONV_2D per tensor', 'CONV_2D', [16, 3, 3, 8], {}, 'tensor', 2],
    ['a grouped CONV_2D per channel', 'CONV_2D', [16, 3, 3, 4], {}, 'channel', 6],
    ['a grouped CONV_2D per tensor', 'CONV_2D', [16, 3, 3, 4], {}, 'tensor', null],
    ['DEPTHWISE_CONV_2D per channel', 'DEPTHWISE_CONV_2D', [1, 5, 5, 64], {}, 'channel', 6],
    ['DEPTHWISE_CONV_2D per tensor', 'DEPTHWISE_CONV_2D', [1, 5, 5, 64], {}, 'tensor', null],
    ['FULLY_CONNECTED per tensor', 'FULLY_CONNECTED', [16, 72], {}, 'tensor', 9],
    ['BATCH_MATMUL per tensor', 'BATCH_MATMUL', [2, 8, 72], {}, 'tensor', 4],
    ['BATCH_MATMUL per channel', 'BATCH_MATMUL', [2, 8, 72], {}, 'channel', null],
    ['TRANSPOSE_CONV', 'TRANSPOSE_CONV', [16, 3, 3, 8], { inputs: [-1, 1, 0] }, 'channel', 2],
    ['EMBEDDING_LOOKUP per channel', 'EMBEDDING_LOOKUP', [40, 32], {}, 'channel', 4],
    ['an operator of somebody else', 'CUSTOM', [16, 72], { customCode: 'Mine' }, 'tensor', null],
  ])('%s', async (_, op, shape, changes, granularity, version) => {
    const elements = shape.reduce((a, b) => a * b, 1);
    const file = write({
      graphs: [
        {
          tensors: [
            { name: 'x', shape: [1, 6, 6, 8] },
            { name: 'w', shape, buffer: 1 },
            { name: 'y', shape: [1, 6, 6, 16] },
          ],
          operators: [{ op, inputs: [0, 1], outputs: [2], ...changes }],
          inputs: [0],
          outputs: [2],
        },
      ],
      buffers: [bytesOf(normalValues(elements, 3))],
    });
    const wanted = recipe('litert-dynamic', {
      minElements: 0,
      default: {
        ...recipe('litert-dynamic').default!,
        granularity: granularity as 'tensor' | 'channel',
      },
    });
    const { out } = await exported(file, wanted, 'dynamic');
    const made = operatorsOf(plainModel(out));
    const [, layer] = made[made.length - 1]!;
    const isTaken = made.length === 1;
    if (op === 'CUSTOM') expect(tensorsOf(out)[0]!.dtype).toBe('float32');
    else {
      expect(isTaken).toBe(version !== null);
      expect(opcodeOf(plainModel(out), layer)['version']).toBe(version ?? 1);
    }
  });

  test.each<[OperatorSpec['op'], readonly number[], number | null]>([
    ['FULLY_CONNECTED', [16, 72], 12],
    ['CONV_2D', [16, 3, 3, 8], 5],
    ['EMBEDDING_LOOKUP', [40, 32], 4],
    ['DEPTHWISE_CONV_2D', [1, 5, 5, 64], null],
    ['BATCH_MATMUL', [2, 8, 72], null],
  ])('%s on 4 bits per channel, without -8', async (op, shape, version) => {
    const file = write({
      graphs: [
        {
          tensors: [
            { name: 'x', shape: [1, 6, 6, 8] },
            { name: 'w', shape, buffer: 1 },
            { name: 'y', shape: [1, 6, 6, 16] },
          ],
          operators: [{ op, inputs: [0, 1], outputs: [2] }],
          inputs: [0],
          outputs: [2],
        },
      ],
      buffers: [
        bytesOf(
          normalValues(
            shape.reduce((a, b) => a * b, 1),
            3,
          ),
        ),
      ],
    });
    const { out } = await exported(file, scheme({ dtype: 'int4' }), 'dynamic');
    const made = operatorsOf(plainModel(out));
    expect(made.length).toBe(version === null ? 2 : 1);
    if (version !== null) expect(opcodeOf(plainModel(out), made[0]![1])['version']).toBe(version);
    for (const byte of bufferOf(plainModel(out), 1)) {
      expect(byte & 15).not.toBe(8);
      expect(byte >> 4).not.toBe(8);
    }
  });

  test('restores a shared weight for the operator whose channels lie on another axis', async () => {
    const file = write({
      graphs: [
        {
          tensors: [
            { name: 'x', shape: [1, 6, 6, 8] },
            { name: 'w', shape: [1, 5, 5, 8], buffer: 1 },
            { name: 'h', shape: [1, 6, 6, 8] },
            { name: 'y', shape: [1, 6, 6, 1] },
          ],
          operators: [
            { op: 'DEPTHWISE_CONV_2D', inputs: [0, 1], outputs: [2] },
            { op: 'CONV_2D', inputs: [2, 1], outputs: [3] },
          ],
          inputs: [0],
          outputs: [3],
        },
      ],
      buffers: [bytesOf(normalValues(200, 3))],
    });
    const wanted = recipe('litert-dynamic', { minElements: 0 });
    const { out } = await exported(file, wanted, 'dynamic');
    const made = operatorsOf(plainModel(out));
    expect(made.map(([op]) => op)).toEqual([4, 6, 3]);
    expect(made.map(([, { inputs }]) => inputs)).toEqual([[0, 1], [1], [2, 4]]);
    expect(tensorsOf(out)[0]!.quantization).toMatchObject({ axis: 3 });
  });

  test('restores a weight for a BATCH_MATMUL that shares it with a FULLY_CONNECTED', async () => {
    const file = write({
      graphs: [
        {
          tensors: [
            { name: 'x', shape: [4, 40] },
            { name: 'w', shape: [40, 40], buffer: 1 },
            { name: 'h', shape: [4, 40] },
            { name: 'y', shape: [4, 40] },
          ],
          operators: [
            { op: 'FULLY_CONNECTED', inputs: [0, 1, -1], outputs: [2], options: [8, table({})] },
            { op: 'BATCH_MATMUL', inputs: [2, 1], outputs: [3], options: [101, table({})] },
          ],
          inputs: [0],
          outputs: [3],
        },
      ],
      buffers: [bytesOf(normalValues(1600, 3))],
    });
    const { out } = await exported(file, recipe('int8-tensor'), 'dynamic');
    expect(operatorsOf(plainModel(out)).map(([op, { inputs }]) => [op, inputs])).toEqual([
      [9, [0, 1, -1]],
      [6, [1]],
      [126, [2, 4]],
    ]);
  });

  test('a GATHER of one scale gives codes, and a DEQUANTIZE behind it the old result', async () => {
    const file = write({
      graphs: [
        {
          tensors: [
            { name: 'ids', shape: [4], type: 'INT32' },
            { name: 'table', shape: [50, 32], buffer: 1 },
            { name: 'rows', shape: [4, 32] },
          ],
          operators: [{ op: 'GATHER', inputs: [1, 0], outputs: [2] }],
          inputs: [0],
          outputs: [2],
        },
      ],
      buffers: [bytesOf(normalValues(1600, 3))],
    });
    const { out } = await exported(file, recipe('int8-tensor'), 'dynamic');
    const model = plainModel(out);
    expect(operatorsOf(model).map(([op, { inputs, outputs }]) => [op, inputs, outputs])).toEqual([
      [36, [1, 0], [3]],
      [6, [3], [2]],
    ]);
    const tensors = list(list(model, 'subgraphs')[0]!, 'tensors');
    expect(tensors[3]).toMatchObject({ type: 9, quantization: tensors[1]!['quantization'] });
  });

  test('an SVDF takes codes only when both of its weights are codes', async () => {
    const svdf = (second: number): string =>
      write({
        graphs: [
          {
            tensors: [
              { name: 'x', shape: [2, 48] },
              { name: 'features', shape: [64, 48], buffer: 1 },
              { name: 'time', shape: [64, second], buffer: 2 },
              { name: 'state', shape: [2, 64 * second], extra: { 5: u8(1) } },
              { name: 'y', shape: [2, 64] },
            ],
            operators: [
              {
                op: 'SVDF',
                inputs: [0, 1, 2, -1, 3],
                outputs: [4],
                options: [6, table({ 0: i32(1) })],
              },
            ],
            inputs: [0],
            outputs: [4],
          },
        ],
        buffers: [bytesOf(normalValues(64 * 48, 1)), bytesOf(normalValues(64 * second, 2))],
      });
    const both = await exported(svdf(20), recipe('litert-dynamic'), 'dynamic');
    expect(operatorsOf(plainModel(both.out)).map(([op]) => op)).toEqual([27]);
    const one = await exported(svdf(10), recipe('litert-dynamic'), 'dynamic');
    expect(operatorsOf(plainModel(one.out)).map(([op]) => op)).toEqual([6, 27]);
  });
});

/** x -> CONV_2D with float16 weights and a float16 bias, each behind a DEQUANTIZE; the bias an output where asked. */
function halfBiasModel(isOutput: boolean): ModelSpec {
  const half = (count: number, seed: number): Uint8Array =>
    bytesOf(Uint16Array.from(normalValues(count, seed), float16Bits));
  return {
    graphs: [
      {
        tensors: [
          { name: 'x', shape: [1, 6, 6, 16] },
          { name: 'w16', shape: [16, 3, 3, 16], type: 'FLOAT16', buffer: 1 },
          { name: 'w', shape: [16, 3, 3, 16] },
          { name: 'b16', shape: [16], type: 'FLOAT16', buffer: 2 },
          { name: 'b', shape: [16] },
          { name: 'y', shape: [1, 6, 6, 16] },
        ],
        operators: [
          { op: 'DEQUANTIZE', inputs: [1], outputs: [2] },
          { op: 'DEQUANTIZE', inputs: [3], outputs: [4] },
          { op: 'CONV_2D', inputs: [0, 2, 4], outputs: [5] },
        ],
        inputs: [0],
        outputs: isOutput ? [5, 4] : [5],
      },
    ],
    buffers: [half(16 * 144, 1), half(16, 2)],
  };
}

/** x -> DEPTHWISE_CONV_2D with float16 weights behind a DEQUANTIZE, which a RESHAPE takes as well where asked. */
function halfModel(isShared: boolean): ModelSpec {
  const half = Uint16Array.from(normalValues(25 * 64, 5), float16Bits);
  return {
    graphs: [
      {
        tensors: [
          { name: 'x', shape: [1, 6, 6, 64] },
          { name: 'half', shape: [1, 5, 5, 64], type: 'FLOAT16', buffer: 1 },
          { name: 'whole', shape: [1, 5, 5, 64] },
          { name: 'y', shape: [1, 6, 6, 64] },
          { name: 'flat', shape: [1600] },
        ],
        operators: [
          { op: 'DEQUANTIZE', inputs: [1], outputs: [2], version: 2 },
          { op: 'DEPTHWISE_CONV_2D', inputs: [0, 2], outputs: [3] },
          ...(isShared ? [{ op: 'RESHAPE', inputs: [2], outputs: [4] } as const] : []),
        ],
        inputs: [0],
        outputs: isShared ? [3, 4] : [3],
      },
    ],
    buffers: [bytesOf(half)],
  };
}

describe('a float16 source', () => {
  test('is offered int8 from its float16 values, under the DEQUANTIZE that it has', async () => {
    const { out, names } = await exported(write(halfModel(false)), recipe('int8'));
    expect(names).toEqual(['half']);
    const model = plainModel(out);
    expect(operatorsOf(model).map(([op, { inputs }]) => [op, inputs])).toEqual([
      [6, [1]],
      [4, [0, 2]],
    ]);
    expect(opcodeOf(model, operatorsOf(model)[0]![1])).toMatchObject({ version: 5 });
    expect(tensorsOf(out)[0]!.quantization).toMatchObject({ axis: 3 });
  });

  test('loses the DEQUANTIZE where all behind it takes codes, and keeps it where something does not', async () => {
    const alone = await exported(write(halfModel(false)), recipe('litert-dynamic'), 'dynamic');
    expect(operatorsOf(plainModel(alone.out)).map(([op, { inputs }]) => [op, inputs])).toEqual([
      [4, [0, 1]],
    ]);
    const shared = await exported(write(halfModel(true)), recipe('litert-dynamic'), 'dynamic');
    expect(operatorsOf(plainModel(shared.out)).map(([op, { inputs }]) => [op, inputs])).toEqual([
      [6, [1]],
      [4, [0, 1]],
      [22, [2]],
    ]);
  });

  test('has the bias of what runs on codes stored as float32, its values the same', async () => {
    const { out } = await exported(
      write(halfBiasModel(false)),
      recipe('litert-dynamic'),
      'dynamic',
    );
    const model = plainModel(out);
    expect(operatorsOf(model).map(([op, { inputs }]) => [op, inputs])).toEqual([[3, [0, 1, 3]]]);
    expect(tensorsOf(out).map(({ name, dtype }) => [name, dtype])).toEqual([
      ['w16', 'int8'],
      ['b16', 'float32'],
    ]);
    const bits = Uint16Array.from(normalValues(16, 2), float16Bits);
    const bytes = bufferOf(model, 2);
    for (const [index, value] of bits.entries())
      expect(bytes.readFloatLE(4 * index)).toBe(float16Value(value));
  });

  test('has the bias of restored int8 weights stored as float32, which XNNPACK wants', async () => {
    const { out } = await exported(write(halfBiasModel(false)), recipe('int8'));
    expect(operatorsOf(plainModel(out)).map(([op, { inputs }]) => [op, inputs])).toEqual([
      [6, [1]],
      [3, [0, 2, 3]],
    ]);
    expect(tensorsOf(out).map(({ name, dtype }) => [name, dtype])).toEqual([
      ['w16', 'int8'],
      ['b16', 'float32'],
    ]);
    // Types that XNNPACK does not fold are slow with either bias: it stays.
    const wide = await exported(write(halfBiasModel(false)), recipe('litert-int4'));
    expect(tensorsOf(wide.out)[1]).toMatchObject({ name: 'b16', dtype: 'float16' });
  });

  test('whose bias cannot be stored so is restored to float', async () => {
    const { out } = await exported(write(halfBiasModel(true)), recipe('litert-dynamic'), 'dynamic');
    expect(operatorsOf(plainModel(out)).map(([op]) => op)).toEqual([6, 6, 3]);
  });

  test('whose values an operator takes as they are is kept with the reason', async () => {
    const spec = halfModel(false);
    const [graph] = spec.graphs;
    const { refused } = await exported(
      write({
        ...spec,
        graphs: [
          { ...graph!, operators: [{ op: 'DEPTHWISE_CONV_2D', inputs: [0, 1], outputs: [3] }] },
        ],
      }),
      recipe('int8'),
    );
    expect(refused).toContain(
      'operators take its float16 values as they are, and DEQUANTIZE restores float32',
    );
  });
});

test('a weight that a loop hands to its body is restored before the loop', async () => {
  const file = write(loopModel(64, normalValues(4096, 3)).bytes);
  const { out, names } = await exported(file, scheme({}), 'dynamic');
  expect(names).toEqual(['w']);
  const [dequantize, loop] = operatorsOf(plainModel(out));
  expect([dequantize![0], loop![0]]).toEqual([6, 119]);
  expect((loop![1]['inputs'] as number[])[2]).toBe((dequantize![1]['outputs'] as number[])[0]);
  expect(operatorsOf(plainModel(out), 2)).toEqual(operatorsOf(plainModel(file), 2));
});

test('a weight that a condition hands to its branches is restored before the condition', async () => {
  const file = write(branchModel(64, normalValues(4096, 3)).bytes);
  const { out, names } = await exported(file, scheme({}), 'dynamic');
  expect(names).toEqual(['w']);
  const [dequantize, condition] = operatorsOf(plainModel(out));
  expect([dequantize![0], condition![0]]).toEqual([6, 118]);
  expect((condition![1]['inputs'] as number[])[2]).toBe((dequantize![1]['outputs'] as number[])[0]);
  expect(operatorsOf(plainModel(out), 2)).toEqual(operatorsOf(plainModel(file), 2));
});

test('a weight that is an output or a variable is kept with the reason', async () => {
  const output = await exported(write(dense({}, { outputs: [4, 1] })), recipe('int8'));
  expect(output.refused).toContain('it is an input or output of its graph');
  const tensors = dense().graphs[0]!.tensors.map((tensor) =>
    tensor.name === 'w' ? { ...tensor, extra: { 5: u8(1) } } : tensor,
  );
  const variable = await exported(write(dense({}, { tensors })), recipe('int8'));
  expect(variable.refused).toContain('it is a variable');
});

test('control edges name the same operators after others came in or went', async () => {
  // Two graphs: operator 0 before 1, and none; then one that is gone, whose edge goes.
  const edges = (values: readonly number[]): ModelSpec => {
    const spec = dense();
    return {
      ...spec,
      buffers: [...spec.buffers, Uint8Array.from(values)],
      metadata: [['model_control_dependencies', 5]],
    };
  };
  const { out } = await exported(write(edges([1, 1, 1, 0, 2])), recipe('int8'));
  expect([...bufferOf(plainModel(out), 5)]).toEqual([1, 1, 1, 2, 4]);
  const half = halfModel(false);
  const file = write({
    ...half,
    buffers: [...half.buffers, Uint8Array.of(1, 1, 2, 0, 2, 2, 1)],
    metadata: [['model_control_dependencies', 2]],
  });
  const dropped = await exported(file, recipe('litert-dynamic'), 'dynamic');
  expect([...bufferOf(plainModel(dropped.out), 2)]).toEqual([1, 1, 1, 0, 1]);
});

test('control edges of another form are not guessed at', async () => {
  const spec = dense();
  const buffers = [...spec.buffers, Uint8Array.of(2, 1, 1, 0, 2)];
  const file = write({ ...spec, buffers, metadata: [['model_control_dependencies', 5]] });
  const session = Session.open(file, pool);
  await expect(
    session.export(recipe('int8'), 'qdq', `${file}.out`, { signal: new AbortController().signal }),
  ).rejects.toThrow(
    /metadata model_control_dependencies: cannot be exported without losing its control edges \(found another form of them, expected version 1\)/,
  );
  session.close();
});

test('what a newer schema put into a file is named, and the export refused rather than lossy', async () => {
  const file = write(dense({ extra: { 30: u32(5) } }));
  const session = Session.open(file, pool);
  const wanted = session.export(recipe('int8'), 'qdq', `${file}.out`, {
    signal: new AbortController().signal,
  });
  await expect(wanted).rejects.toThrow(AppError);
  await expect(wanted).rejects.toThrow(
    /field 30 of Model: cannot be exported without losing what a newer schema put there/,
  );
  session.close();
  expect(fs.existsSync(`${file}.out`)).toBe(false);
  // Nothing quantized is nothing lost.
  const { bytes } = await exported(file, recipe('int8', { minElements: 1e9 }));
  expect(Buffer.compare(bytes, fs.readFileSync(file))).toBe(0);
});

test('a buffer behind the FlatBuffer stays behind it, and so do custom options', async () => {
  const place = (start: number, at: number): ModelSpec => {
    const spec = dense();
    const operators = spec.graphs[0]!.operators.map((operator) =>
      operator.op === 'CUSTOM'
        ? { ...operator, extra: { 9: u64(BigInt(at)), 10: u64(9n) } }
        : operator,
    );
    return {
      ...dense({}, { operators }),
      buffers: [
        table({ 1: u64(BigInt(start)), 2: u64(BigInt(4 * OUT * IN)) }),
        ...spec.buffers.slice(1),
      ],
    };
  };
  const start = Math.ceil(litertModel(place(2, 2)).bytes.length / 16) * 16;
  const options = start + 4 * OUT * IN;
  const bytes = new Uint8Array(options + 9);
  bytes.set(litertModel(place(start, options)).bytes);
  bytes.set(bytesOf(normalValues(OUT * IN, 1)), start);
  bytes.set(Buffer.from('my custom'), options);
  const { out, bytes: made } = await exported(write(bytes), recipe('int8'));
  const model = plainModel(out);
  const buffer = list(model, 'buffers')[1]!;
  expect(Number(buffer['size'])).toBe(OUT * IN);
  expect(Number(buffer['offset']) % 16).toBe(0);
  const plain = await exported(write(dense()), recipe('int8'));
  const [from, length] = [Number(buffer['offset']), Number(buffer['size'])];
  expect(
    Buffer.from(made.subarray(from, from + length)).equals(bufferOf(plainModel(plain.out), 1)),
  ).toBe(true);
  const [, custom] = operatorsOf(model).find(([op]) => op === 32)!;
  const at = Number(custom['large_custom_options_offset']);
  expect(Buffer.from(made.subarray(at, at + 9)).toString()).toBe('my custom');
});

test('files that are packed behind the model come along', async () => {
  const { bytes } = litertModel(dense());
  const zip = Buffer.from('PK\u0003\u0004 labels.txt of a task library model');
  const { bytes: made } = await exported(write(Buffer.concat([bytes, zip])), recipe('int8'));
  expect(Buffer.from(made.subarray(-zip.length)).equals(zip)).toBe(true);
});

test('a weight that two graphs share is stored once and restored in both', async () => {
  const [graph] = dense().graphs;
  const { out, names } = await exported(
    write(dense({ graphs: [graph!, { ...graph!, name: 'second' }] })),
    recipe('int8'),
  );
  expect(names).toEqual(['w']);
  const model = plainModel(out);
  for (const at of [0, 1]) expect(operatorsOf(model, at).map(([op]) => op)).toEqual([6, 9, 32]);
  expect(tensorsOf(out).filter(({ dtype }) => dtype === 'int8')).toHaveLength(1);
});

test('options of another operator are not taken for its own', async () => {
  const [graph] = dense().graphs;
  const operators: OperatorSpec[] = [
    { op: 'FULLY_CONNECTED', inputs: [0, 1, 2], outputs: [3], options: [1, table({ 1: i32(1) })] },
    { op: 'BATCH_MATMUL', inputs: [0, 1], outputs: [3], options: [1, table({ 1: i32(1) })] },
    { op: 'GATHER', inputs: [1, 0], outputs: [4], options: [1, table({ 1: i32(1) })] },
  ];
  const { out } = await exported(
    write(dense({ graphs: [{ ...graph!, operators }] })),
    recipe('int8-tensor'),
    'dynamic',
  );
  // Only GATHER, whose kernel needs no option of it, runs on the codes.
  expect(operatorsOf(plainModel(out)).map(([op]) => op)).toEqual([6, 9, 126, 36, 6]);
});

test('an export that is opened again has nothing left to quantize and is copied', async () => {
  const first = await exported(write(dense()), recipe('int8'));
  const copy = write(first.bytes);
  const second = await exported(copy, recipe('int8'));
  expect(second.names).toEqual([]);
  expect(Buffer.compare(second.bytes, first.bytes)).toBe(0);
});
