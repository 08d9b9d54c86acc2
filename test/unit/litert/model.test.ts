import { describe, expect, test } from 'vitest';
import { AppError } from '../../../shared/errors.ts';
import { isQuantizable, type Model } from '../../../shared/model.ts';
import { planWeights } from '../../../shared/plan.ts';
import { findPreset } from '../../../shared/presets.ts';
import { openModel } from '../../../electron/engine/formats/registry.ts';
import {
  flatBuffer,
  i32,
  i8,
  ints,
  raw,
  table,
  tables,
  text,
  u32,
  u64,
  u8,
  type FlatObject,
} from '../../helpers/flatbuffer.ts';
import {
  branchModel,
  bytesOf,
  denseModel,
  litertModel,
  loopModel,
  type ModelSpec,
  type OperatorSpec,
  type TensorSpec,
} from '../../helpers/litert-model.ts';
import { normalValues } from '../../helpers/random.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();

function opened(spec: ModelSpec): Model {
  return openBytes(litertModel(spec).bytes);
}

function openBytes(bytes: Uint8Array): Model {
  const model = openModel(writeFile(folder, bytes, 'model.tflite'));
  model.close();
  return model.model;
}

function failure(spec: ModelSpec): AppError {
  try {
    opened(spec);
  } catch (error) {
    expect(error).toBeInstanceOf(AppError);
    return error as AppError;
  }
  throw new Error('the file was accepted');
}

/** A graph of one operator on x with constants of these shapes, and its result y. */
function one(
  op: OperatorSpec['op'],
  constants: readonly (readonly number[])[],
  changes: Partial<OperatorSpec> = {},
): ModelSpec {
  const tensors: TensorSpec[] = [{ name: 'x', shape: [1, 4] }];
  const buffers: Uint8Array[] = [];
  for (const [index, shape] of constants.entries()) {
    buffers.push(
      bytesOf(
        normalValues(
          shape.reduce((a, b) => a * b, 1),
          index,
        ),
      ),
    );
    tensors.push({ name: `c${index + 1}`, shape, buffer: index + 1 });
  }
  const output = tensors.push({ name: 'y', shape: [1, 4] }) - 1;
  const inputs = tensors.map((_, index) => index).slice(0, output);
  return {
    graphs: [
      {
        tensors,
        operators: [{ op, inputs, outputs: [output], ...changes }],
        inputs: [0],
        outputs: [output],
      },
    ],
    buffers,
  };
}

const dense = (changes: Partial<TensorSpec>, rest: Partial<ModelSpec> = {}): ModelSpec => ({
  graphs: [
    {
      tensors: [
        { name: 'x', shape: [1, 4] },
        { name: 'w', shape: [3, 4], buffer: 1, ...changes },
        { name: 'y', shape: [1, 3] },
      ],
      operators: [{ op: 'FULLY_CONNECTED', inputs: [0, 1], outputs: [2] }],
      inputs: [0],
      outputs: [2],
    },
  ],
  buffers: [new Uint8Array(48)],
  ...rest,
});

const int8 = { type: 'INT8', shape: [3, 16] } as const;

describe('the reader refuses', () => {
  test.each<[string, ModelSpec, string, RegExp]>([
    [
      'another version of the schema',
      dense({}, { version: 2 }),
      'UNSUPPORTED',
      /version: is of another version of the schema \(found 2, expected 3\)/,
    ],
    ['a model without graphs', { graphs: [], buffers: [] }, 'MALFORMED', /subgraphs: has no graph/],
    [
      'a buffer index out of range',
      dense({ buffer: 9 }),
      'MALFORMED',
      /subgraphs\[0\]\.tensors\[1\]\.buffer: an index leads out of its list \(found 9, expected 0 to 1\)/,
    ],
    [
      'an operator code index out of range',
      one('FULLY_CONNECTED', [], { extra: { 0: u32(7) } }),
      'MALFORMED',
      /subgraphs\[0\]\.operators\[0\]\.opcode_index: an index leads out of its list \(found 7, expected 0 to 0\)/,
    ],
    [
      'an operator input out of range',
      one('FULLY_CONNECTED', [], { inputs: [0, 99] }),
      'MALFORMED',
      /operators\[0\]\.inputs\[1\]: an index leads out of its list \(found 99, expected -1 to 1\)/,
    ],
    [
      'an operator input under -1',
      one('FULLY_CONNECTED', [], { inputs: [-2] }),
      'MALFORMED',
      /operators\[0\]\.inputs\[0\]: an index leads out of its list \(found -2, expected -1 to 1\)/,
    ],
    [
      'an operator output out of range',
      one('FULLY_CONNECTED', [], { outputs: [2 ** 31 - 1] }),
      'MALFORMED',
      /operators\[0\]\.outputs\[0\]: an index leads out of its list \(found 2147483647/,
    ],
    [
      'a graph input out of range',
      { ...dense({}), graphs: [{ ...dense({}).graphs[0]!, inputs: [5] }] },
      'MALFORMED',
      /subgraphs\[0\]\.inputs\[0\]: an index leads out of its list \(found 5, expected -1 to 2\)/,
    ],
    [
      'a metadata buffer out of range',
      dense({}, { metadata: [['m', 8]] }),
      'MALFORMED',
      /metadata\[0\]\.buffer: an index leads out of its list \(found 8, expected 0 to 1\)/,
    ],
    [
      'a signature of a graph that is not there',
      dense({}, { extra: { 7: tables([table({ 4: u32(3) })]) } }),
      'MALFORMED',
      /signature_defs\[0\]\.subgraph_index: an index leads out of its list \(found 3, expected 0 to 0\)/,
    ],
    [
      'a signature of a tensor that is not there',
      dense(
        {},
        { extra: { 7: tables([table({ 0: tables([table({ 0: text('x'), 1: u32(12) })]) })]) } },
      ),
      'MALFORMED',
      /signature_defs\[0\]\.inputs\[0\]\.tensor_index: an index leads out of its list \(found 12, expected 0 to 2\)/,
    ],
    [
      'fewer bytes than shape and type say',
      dense({ shape: [4, 4] }),
      'MALFORMED',
      /subgraphs\[0\]\.tensors\[1\]: must have as many bytes as its shape and type take \(found 48 bytes, expected 64 \(FLOAT32 \[4, 4\]\)\)/,
    ],
    [
      'more bytes than shape and type say',
      dense({ type: 'INT8', shape: [3, 15], scale: [1] }),
      'MALFORMED',
      /found 48 bytes, expected 45 \(INT8 \[3, 15\]\)/,
    ],
    [
      'a shape whose product overflows',
      dense({ shape: [2 ** 31 - 1, 2 ** 31 - 1, 2 ** 31 - 1] }),
      'MALFORMED',
      /found 48 bytes, expected 3\.96\S+e\+28 \(FLOAT32/,
    ],
    [
      'a negative dimension of a constant',
      dense({ shape: [-3, -4] }),
      'MALFORMED',
      /subgraphs\[0\]\.tensors\[1\]\.shape: has a negative dimension \(found -3, expected 0 or more\)/,
    ],
    [
      'more axes than a tensor can have',
      dense({ shape: new Array<number>(65).fill(1) }),
      'LIMIT',
      /tensors\[1\]\.shape: has too many axes \(found 65, expected at most 64\)/,
    ],
    [
      'values of a type that has none',
      dense({ type: 'RESOURCE' }),
      'UNSUPPORTED',
      /tensors\[1\]\.type: holds values of a type that is not read \(found RESOURCE/,
    ],
    [
      'values of a type of a newer schema',
      dense({ extra: { 1: i8(99) } }),
      'UNSUPPORTED',
      /tensors\[1\]\.type: holds values of a type that is not read \(found type 99/,
    ],
    [
      'more zero points than scales',
      dense({ ...int8, scale: [1], zeroPoint: [0, 0, 0] }),
      'MALFORMED',
      /quantization\.zero_point: must have as many zero points as scales \(found 3, expected 1\)/,
    ],
    [
      'another number of scales than channels',
      dense({ ...int8, scale: [1, 1], zeroPoint: [0, 0] }),
      'MALFORMED',
      /quantization\.scale: must have as many scales as channels \(found 2, expected 1 or 3\)/,
    ],
    [
      'a quantized axis that is none',
      dense({ ...int8, scale: [1], axis: 2 }),
      'MALFORMED',
      /quantization\.quantized_dimension: is no axis of the tensor \(found 2, expected 0 to 1\)/,
    ],
    [
      'a scale of 0',
      dense({ ...int8, scale: [1, 0, 1] }),
      'MALFORMED',
      /quantization\.scale\[1\]: is no scale \(found 0, expected a finite number over 0\)/,
    ],
    [
      'a scale that is not a number',
      dense({ ...int8, scale: [NaN] }),
      'MALFORMED',
      /quantization\.scale\[0\]: is no scale \(found NaN/,
    ],
    [
      'a buffer outside of the file',
      dense({}, { buffers: [table({ 1: u64(1n << 40n), 2: u64(48n) })] }),
      'MALFORMED',
      /buffers\[1\]\.offset: lies out of the file.* \(found bytes 1099511627776 to 1099511627824, expected at most \d+\)/,
    ],
    [
      'a buffer whose end wraps around',
      dense({}, { buffers: [table({ 1: u64(2n ** 64n - 8n), 2: u64(48n) })] }),
      'MALFORMED',
      /buffers\[1\]\.offset: lies out of the file/,
    ],
    [
      'custom options outside of the file',
      one('CUSTOM', [], { customCode: 'Mine', extra: { 9: u64(1n << 33n), 10: u64(64n) } }),
      'MALFORMED',
      /operators\[0\]\.large_custom_options_offset: lies out of the file/,
    ],
  ])('%s', (_, spec, code, message) => {
    const error = failure(spec);
    expect(error.message).toMatch(message);
    expect(error.code).toBe(code);
    expect(error.details.file).toMatch(/model\.tflite$/);
  });
});

describe('a small file that stands for a huge model by sharing', () => {
  const shared = (model: FlatObject): AppError => {
    try {
      openModel(writeFile(folder, flatBuffer(model).bytes, 'shared.tflite')).close();
    } catch (error) {
      return error as AppError;
    }
    throw new Error('the file was accepted');
  };
  const tensor = table({ 0: ints([1, 4]), 3: text('t'.repeat(1 << 16)) });
  const many = tables(new Array<FlatObject>(2000).fill(tensor));

  test('a thousand graphs of one list of tensors', () => {
    const graphs = Array.from({ length: 1000 }, () => table({ 0: many }));
    expect(shared(table({ 0: u32(3), 2: tables(graphs), 4: tables([table({})]) })).message).toMatch(
      /subgraphs\[\d+\]: lists stand for more than the file has \(found \d+ bytes of them, expected at most \d+\)/,
    );
  });

  test('one graph a hundred thousand times', () => {
    const graph = table({ 0: many });
    const list = tables(new Array<FlatObject>(100_000).fill(graph));
    expect(shared(table({ 0: u32(3), 2: list, 4: tables([table({})]) })).message).toMatch(
      /lists stand for more/,
    );
  });

  test('a thousand operators of one list of inputs', () => {
    const inputs = ints(new Array<number>(20_000).fill(0));
    const operators = Array.from({ length: 1000 }, () => table({ 1: inputs }));
    const code = table({ 3: i32(9) });
    const graph = table({ 0: many, 3: tables(operators) });
    expect(
      shared(table({ 0: u32(3), 1: tables([code]), 2: tables([graph]), 4: tables([table({})]) }))
        .message,
    ).toMatch(/subgraphs\[0\]\.operators\[\d+\]\.inputs: lists stand for more/);
  });

  test('ten thousand tensors of one list of scales are read and checked once', () => {
    const count = 20_000;
    const scales = table({
      2: raw(new Float32Array(count).fill(1)),
      3: raw(new BigInt64Array(count)),
    });
    const tensors = Array.from({ length: 10_000 }, () =>
      table({ 0: ints([count]), 1: i8(9), 4: scales }),
    );
    const { bytes } = flatBuffer(
      table({ 0: u32(3), 2: tables([table({ 0: tables(tensors) })]), 4: tables([table({})]) }),
    );
    const opened = openModel(writeFile(folder, bytes, 'scales.tflite'));
    opened.close();
    expect(opened.model.tensors).toEqual([]);
  });
});

test('where several operators make one tensor nothing is said of what feeds them', () => {
  const count = 4;
  const halves = Array.from({ length: count }, (_, index): TensorSpec => ({
    name: `h${index}`,
    shape: [8, 4],
    type: 'FLOAT16',
    buffer: index + 1,
  }));
  const { tensors } = opened({
    graphs: [
      {
        tensors: [
          ...halves,
          { name: 'w', shape: [8, 4] },
          { name: 'x', shape: [1, 4] },
          { name: 'y', shape: [1, 8] },
        ],
        operators: [
          ...halves.map((_, index): OperatorSpec => ({
            op: 'DEQUANTIZE',
            inputs: [index],
            outputs: [count],
          })),
          { op: 'FULLY_CONNECTED', inputs: [count + 1, count], outputs: [count + 2] },
        ],
        inputs: [count + 1],
        outputs: [count + 2],
      },
    ],
    buffers: halves.map(() => new Uint8Array(64)),
  });
  expect(tensors.map(({ role }) => role)).toEqual(halves.map(() => 'constant'));
});

describe('the role and channel axis of a constant', () => {
  const option = (number: number, fields: Parameters<typeof table>[0]): Partial<OperatorSpec> => ({
    options: [number, table(fields)],
  });
  test.each<[string, ModelSpec, readonly (readonly [string, number | null])[]]>([
    [
      'CONV_2D',
      one('CONV_2D', [[8, 3, 3, 4], [8]]),
      [
        ['weight', 0],
        ['bias', null],
      ],
    ],
    [
      'DEPTHWISE_CONV_2D',
      one('DEPTHWISE_CONV_2D', [[1, 3, 3, 8], [8]]),
      [
        ['weight', 3],
        ['bias', null],
      ],
    ],
    [
      'FULLY_CONNECTED',
      one('FULLY_CONNECTED', [[8, 4], [8]]),
      [
        ['weight', 0],
        ['bias', null],
      ],
    ],
    [
      'TRANSPOSE_CONV',
      one('TRANSPOSE_CONV', [[8, 3, 3, 4], [8]], { inputs: [-1, 1, 0, 2] }),
      [
        ['weight', 0],
        ['bias', null],
      ],
    ],
    ['BATCH_MATMUL', one('BATCH_MATMUL', [[2, 4, 8]]), [['weight', 2]]],
    [
      'BATCH_MATMUL, adjoint',
      one('BATCH_MATMUL', [[2, 8, 4]], option(101, { 1: u8(1) })),
      [['weight', 1]],
    ],
    ['EMBEDDING_LOOKUP', one('EMBEDDING_LOOKUP', [[20, 4]]), [['embedding', 0]]],
    ['GATHER', one('GATHER', [[20, 4]], { inputs: [1, 0] }), [['embedding', 0]]],
    [
      'GATHER along another axis',
      one('GATHER', [[20, 4]], { inputs: [1, 0], ...option(23, { 0: i32(1) }) }),
      [['constant', null]],
    ],
    [
      'SVDF',
      one('SVDF', [[8, 4], [8, 6], [4]]),
      [
        ['weight', null],
        ['weight', null],
        ['bias', null],
      ],
    ],
    [
      'DEPTHWISE_CONV_2D without the axis of its channels',
      one('DEPTHWISE_CONV_2D', [[8], [8]]),
      [
        ['other', null],
        ['bias', null],
      ],
    ],
    ['ADD', one('ADD', [[8]]), [['bias', null]]],
    ['ADD of a table', one('ADD', [[8, 8]]), [['constant', null]]],
    ['RESHAPE', one('RESHAPE', [[8]]), [['constant', null]]],
    [
      'an operator of somebody else',
      one('CUSTOM', [[8, 8]], { customCode: 'Mine' }),
      [['other', null]],
    ],
  ])('%s', (_, spec, expected) => {
    const { tensors } = opened(spec);
    expect(tensors.map(({ role, axis }) => [role, axis])).toEqual(expected);
  });
});

test('a model says what it is, and each tensor what it feeds', () => {
  const model = opened({
    ...one('FULLY_CONNECTED', [[8, 4], [8]]),
    description: 'made here',
    metadata: [['min_runtime_version', 3]],
    buffers: [
      ...one('FULLY_CONNECTED', [[8, 4], [8]]).buffers,
      Uint8Array.from([...Buffer.from('2.17.0'), ...new Uint8Array(10)]),
    ],
  });
  expect(model.format).toBe('litert');
  expect(model.producer).toBe('made here; for runtime 2.17.0 or newer');
  expect(model.opsets).toEqual([{ domain: 'LiteRT', version: 3 }]);
  expect(model.parameters).toBe(40);
  expect(model.footprint.int8).toBe(40);
  expect(model.tensors[0]).toMatchObject({
    name: 'c1',
    dtype: 'float32',
    shape: [8, 4],
    elements: 32,
    bytes: 128,
    layer: 'y',
    op: 'FULLY_CONNECTED',
    storage: 'inline',
    graph: '',
    quantization: null,
    consumers: [{ node: 'y', op: 'FULLY_CONNECTED', input: 1 }],
  });
});

test('float16 behind a DEQUANTIZE is a weight of the operator behind it', () => {
  const { tensors } = opened({
    graphs: [
      {
        tensors: [
          { name: 'x', shape: [1, 4, 4, 8] },
          { name: 'half', shape: [1, 3, 3, 8], type: 'FLOAT16', buffer: 1 },
          { name: 'whole', shape: [1, 3, 3, 8] },
          { name: 'y', shape: [1, 4, 4, 8] },
        ],
        operators: [
          { op: 'DEQUANTIZE', inputs: [1], outputs: [2] },
          { op: 'DEPTHWISE_CONV_2D', inputs: [0, 2], outputs: [3] },
        ],
        inputs: [0],
        outputs: [3],
      },
    ],
    buffers: [new Uint8Array(144)],
  });
  expect(tensors).toHaveLength(1);
  expect(tensors[0]).toMatchObject({
    name: 'half',
    dtype: 'float16',
    role: 'weight',
    axis: 3,
    op: 'DEPTHWISE_CONV_2D',
    layer: 'y',
  });
  expect(isQuantizable(tensors[0]!)).toBe(true);
});

test('a weight that a loop hands to its body unchanged is what it is there', () => {
  const open = (bodyGives?: number) => {
    const flat = loopModel(
      32,
      new Float32Array(1024),
      bodyGives === undefined ? {} : { bodyGives },
    );
    return openBytes(flat.bytes).tensors.find(({ name }) => name === 'w');
  };
  expect(open()).toMatchObject({
    role: 'weight',
    axis: 0,
    op: 'FULLY_CONNECTED',
    graph: '',
    layer: 'next y',
    consumers: [{ op: 'WHILE', input: 2 }],
  });
  // Every turn but the first would see another one.
  expect(open(5)).toMatchObject({ role: 'constant', axis: null, op: 'WHILE' });
});

test('a weight that a condition hands to its branches is what it is in the one that takes it', () => {
  const { tensors } = openBytes(branchModel(32, new Float32Array(1024)).bytes);
  expect(tensors.find(({ name }) => name === 'w')).toMatchObject({
    role: 'weight',
    axis: 0,
    op: 'FULLY_CONNECTED',
    graph: '',
    layer: 'product',
    consumers: [{ op: 'IF', input: 2 }],
  });
});

test('stored scales and zero points are shown, and such tensors are not quantized again', () => {
  const { tensors } = opened(
    dense({ ...int8, scale: [0.5, 0.25, 1], zeroPoint: [0, 1, -2], axis: 0 }),
  );
  expect(tensors[0]!.quantization).toEqual({
    scale: [0.5, 0.25, 1],
    zeroPoint: [0, 1, -2],
    axis: 0,
    blockSize: null,
  });
  expect(tensors[0]!.role).toBe('weight');
  expect(planWeights(tensors, findPreset('int8')!)[0]).toMatchObject({
    scheme: null,
    reason: 'quantized already, int8',
  });
});

test('scales of blocks are known for what they are', () => {
  const blocks = table({ 4: u8(2), 5: table({ 0: i32(0), 2: i32(32) }), 6: i32(1) });
  const { tensors } = opened(dense({ type: 'INT4', shape: [2, 48], extra: { 4: blocks } }));
  expect(tensors[0]!.quantization).toEqual({ scale: [], zeroPoint: [], axis: 1, blockSize: 32 });
});

test('sparse tensors open and are kept with a reason', () => {
  const sparse = table({
    0: ints([0, 1]),
    2: tables([
      table({ 1: i32(3) }),
      table({
        0: i8(1),
        2: u8(3),
        3: table({ 0: raw(Uint8Array.of(0, 2, 4, 6)) }),
        4: u8(3),
        5: table({ 0: raw(new Uint8Array(6)) }),
      }),
    ]),
  });
  const { tensors } = opened(dense({ shape: [3, 400], extra: { 6: sparse } }));
  expect(tensors[0]).toMatchObject({ name: 'w', role: 'weight', elements: 1200, bytes: 48 });
  expect(isQuantizable(tensors[0]!)).toBe(false);
  expect(planWeights(tensors, findPreset('int8')!)[0]!.reason).toBe(
    'sparse, stored without its zeros',
  );
});

test('tensors of several graphs that share a buffer are one; of another shape they are kept', () => {
  const graph = dense({}).graphs[0]!;
  const again = { ...graph, name: 'again' };
  const { tensors } = opened({ ...dense({}), graphs: [graph, again] });
  expect(tensors).toHaveLength(1);
  expect(tensors[0]!.consumers).toHaveLength(2);
  const turned = { ...dense({ shape: [4, 3] }).graphs[0]!, name: 'turned' };
  const both = opened({ ...dense({}), graphs: [graph, turned] }).tensors;
  expect(both.map(({ graph: at, fixed }) => [at, fixed])).toEqual([
    ['', 'its bytes are shared with a tensor of another shape or type'],
    ['turned', 'its bytes are shared with a tensor of another shape or type'],
  ]);
});

test('buffers behind the FlatBuffer are found by their offset', () => {
  const plain = litertModel(
    dense({}, { buffers: [table({ 1: u64(0n), 2: u64(48n) }, 'outside')] }),
  );
  const start = Math.ceil(plain.bytes.length / 16) * 16;
  const bytes = new Uint8Array(start + 48);
  const spec = dense({}, { buffers: [table({ 1: u64(BigInt(start)), 2: u64(48n) }, 'outside')] });
  bytes.set(litertModel(spec).bytes);
  bytes.set(bytesOf(new Float32Array(12).fill(2)), start);
  const model = openModel(writeFile(folder, bytes, 'outside.tflite'));
  model.close();
  expect(model.model.tensors[0]!.data.ranges).toEqual([{ file: 0, offset: start, length: 48 }]);
});

test("a layer is named by the part of its fused name that its weight has, without TensorFlow's operator", () => {
  const layer = (weight: string, output: string): string => {
    const spec = dense({ name: weight });
    const [graph] = spec.graphs;
    const tensors = graph!.tensors.map((tensor) =>
      tensor.name === 'y' ? { ...tensor, name: output } : tensor,
    );
    return opened({ ...spec, graphs: [{ ...graph!, tensors }] }).tensors[0]!.layer;
  };
  expect(layer('net/dense_2/MatMul', 'net/act/Relu;net/dense_2/MatMul;net/dense_2/BiasAdd')).toBe(
    'net/dense_2',
  );
  expect(layer('w', 'net/act/Relu;net/dense_2/MatMul')).toBe('net/act');
  expect(layer('conv2d_5/Kernel', 'conv2d_5')).toBe('conv2d_5');
  expect(layer('w', '')).toBe('');
});

test('names that break other programs are names here', () => {
  for (const name of [
    '__proto__',
    'constructor',
    '<img onerror>',
    '\u202eabc',
    'a\0b',
    'n'.repeat(1 << 20),
    '',
  ])
    expect(opened(dense({ name })).tensors[0]!.name).toBe(name);
});

test('scalars and empty tensors are accepted', () => {
  const { tensors } = opened({
    graphs: [
      {
        tensors: [
          { name: 's', shape: [], buffer: 1 },
          { name: 'none', shape: [0, 4], buffer: 2 },
        ],
        operators: [],
        inputs: [],
        outputs: [],
      },
    ],
    buffers: [bytesOf(Float32Array.of(1)), new Uint8Array(0)],
  });
  expect(tensors.map(({ name, elements }) => [name, elements])).toEqual([['s', 1]]);
});

test('ten thousand layers are opened in no more than linear time', () => {
  const open = (layers: number): number => {
    const tensors: TensorSpec[] = [{ name: 'x', shape: [1, 4] }];
    const operators: OperatorSpec[] = [];
    for (let layer = 0; layer < layers; layer++) {
      tensors.push(
        { name: `w${layer}`, shape: [4, 4], buffer: 1 + (layer % 50) },
        { name: `y${layer}`, shape: [1, 4] },
      );
      operators.push({
        op: 'FULLY_CONNECTED',
        inputs: [2 * layer, 2 * layer + 1],
        outputs: [2 * layer + 2],
      });
    }
    const buffers = Array.from({ length: 50 }, () => new Uint8Array(64));
    return opened({ graphs: [{ tensors, operators, inputs: [0], outputs: [2 * layers] }], buffers })
      .tensors.length;
  };
  expect(open(10_000)).toBe(50);
});

test('the dense helper opens', () => {
  const model = openModel(
    writeFile(folder, denseModel(4, 3, new Float32Array(12)).bytes, 'dense.tflite'),
  );
  model.close();
  expect(model.model.tensors.map(({ name }) => name)).toEqual(['w', 'b']);
});
