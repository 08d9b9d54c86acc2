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
  u8,
  type Flat,
  type FlatField,
  type FlatObject,
} from './flatbuffer.ts';

/** Small .tflite files by the field numbers of LiteRT's schema. */

/** BuiltinOperator's numbers. */
export const OPERATORS = {
  ADD: 0,
  CONCATENATION: 2,
  CONV_2D: 3,
  DEPTHWISE_CONV_2D: 4,
  DEQUANTIZE: 6,
  EMBEDDING_LOOKUP: 7,
  FULLY_CONNECTED: 9,
  LOGISTIC: 14,
  MUL: 18,
  RELU: 19,
  RELU6: 21,
  RESHAPE: 22,
  TANH: 28,
  SVDF: 27,
  CUSTOM: 32,
  GATHER: 36,
  LESS: 58,
  NEG: 59,
  TRANSPOSE_CONV: 67,
  TILE: 69,
  GATHER_ND: 107,
  IF: 118,
  WHILE: 119,
  DENSIFY: 124,
  BATCH_MATMUL: 126,
} as const;

/** TensorType's numbers. */
export const TYPES = {
  FLOAT32: 0,
  FLOAT16: 1,
  INT32: 2,
  UINT8: 3,
  INT64: 4,
  STRING: 5,
  BOOL: 6,
  INT8: 9,
  RESOURCE: 13,
  INT4: 17,
} as const;

export interface TensorSpec {
  readonly name: string;
  readonly shape: readonly number[];
  readonly type?: keyof typeof TYPES;
  /** A buffer's number; none by default. */
  readonly buffer?: number;
  readonly scale?: readonly number[];
  readonly zeroPoint?: readonly number[];
  readonly axis?: number;
  readonly extra?: Readonly<Record<number, FlatField>>;
}

export interface OperatorSpec {
  readonly op: keyof typeof OPERATORS;
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  /** BuiltinOptions' number and its table. */
  readonly options?: readonly [number, FlatObject];
  readonly extra?: Readonly<Record<number, FlatField>>;
  readonly customCode?: string;
  readonly version?: number;
}

export interface GraphSpec {
  readonly name?: string;
  readonly tensors: readonly TensorSpec[];
  readonly operators: readonly OperatorSpec[];
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
}

export interface ModelSpec {
  readonly graphs: readonly GraphSpec[];
  /** Bytes of buffers 1, 2, ...; buffer 0 is empty. */
  readonly buffers: readonly (Uint8Array | FlatObject)[];
  readonly description?: string;
  readonly version?: number;
  /** Name and buffer. */
  readonly metadata?: readonly (readonly [string, number])[];
  readonly extra?: Readonly<Record<number, FlatField>>;
}

/** A file; its tables are labelled `tensor G.I`, `operator G.I`, `graph G`, `buffer I` and `model`. */
export function litertModel(spec: ModelSpec): Flat {
  const codes: FlatObject[] = [];
  const known = new Map<string, number>();
  const code = ({ op, customCode, version = 1 }: OperatorSpec): number => {
    const key = `${op} ${customCode} ${version}`;
    const found = known.get(key) ?? codes.length;
    if (found === codes.length) {
      known.set(key, found);
      codes.push(
        table(
          {
            0: i8(Math.min(127, OPERATORS[op])),
            ...(customCode === undefined ? {} : { 1: text(customCode) }),
            2: i32(version),
            3: i32(OPERATORS[op]),
          },
          `code ${found}`,
        ),
      );
    }
    return found;
  };
  const graphs = spec.graphs.map((graph, index) => graphTable(graph, index, code));
  const buffers = [table({}), ...spec.buffers.map((bytes, index) => bufferTable(bytes, index + 1))];
  return flatBuffer(
    table(
      {
        0: u32(spec.version ?? 3),
        1: tables(codes, 'operator_codes'),
        2: tables(graphs, 'subgraphs'),
        3: text(spec.description ?? 'test', 'description'),
        4: tables(buffers, 'buffers'),
        ...(spec.metadata === undefined
          ? {}
          : {
              6: tables(
                spec.metadata.map(([name, buffer]) => table({ 0: text(name), 1: u32(buffer) })),
              ),
            }),
        ...spec.extra,
      },
      'model',
    ),
  );
}

function bufferTable(bytes: Uint8Array | FlatObject, index: number): FlatObject {
  const label = `buffer ${index}`;
  return bytes instanceof Uint8Array ? table({ 0: raw(bytes, `${label}.data`, 16) }, label) : bytes;
}

function graphTable(
  { name, tensors, operators, inputs, outputs }: GraphSpec,
  index: number,
  code: (operator: OperatorSpec) => number,
): FlatObject {
  return table(
    {
      0: tables(
        tensors.map((tensor, at) => tensorTable(tensor, `tensor ${index}.${at}`)),
        `tensors ${index}`,
      ),
      1: ints(inputs, `inputs ${index}`),
      2: ints(outputs, `outputs ${index}`),
      3: tables(
        operators.map((operator, at) =>
          table(
            {
              0: u32(code(operator)),
              1: ints(operator.inputs),
              2: ints(operator.outputs),
              ...(operator.options === undefined
                ? {}
                : { 3: u8(operator.options[0]), 4: operator.options[1] }),
              ...operator.extra,
            },
            `operator ${index}.${at}`,
          ),
        ),
      ),
      ...(name === undefined ? {} : { 4: text(name) }),
    },
    `graph ${index}`,
  );
}

function tensorTable(tensor: TensorSpec, label: string): FlatObject {
  const { shape, type = 'FLOAT32', buffer = 0, name, scale, axis = 0 } = tensor;
  const zeroPoint = tensor.zeroPoint ?? scale?.map(() => 0) ?? [];
  return table(
    {
      0: ints(shape, `${label}.shape`),
      1: i8(TYPES[type]),
      2: u32(buffer),
      3: text(name, `${label}.name`),
      ...(scale === undefined
        ? {}
        : {
            4: table({
              2: raw(Float32Array.from(scale)),
              3: raw(BigInt64Array.from(zeroPoint.map(BigInt))),
              6: i32(axis),
            }),
          }),
      ...tensor.extra,
    },
    label,
  );
}

/** x [1, inputs] -> FULLY_CONNECTED with weights [outputs, inputs] in buffer 1 and a bias in buffer 2 -> y. */
export function denseModel(
  inputs: number,
  outputs: number,
  values: Float32Array,
  changes: Partial<ModelSpec> = {},
): Flat {
  return litertModel({
    graphs: [
      {
        tensors: [
          { name: 'x', shape: [1, inputs] },
          { name: 'w', shape: [outputs, inputs], buffer: 1 },
          { name: 'b', shape: [outputs], buffer: 2 },
          { name: 'y', shape: [1, outputs] },
        ],
        operators: [
          { op: 'FULLY_CONNECTED', inputs: [0, 1, 2], outputs: [3], options: [8, table({})] },
        ],
        inputs: [0],
        outputs: [3],
      },
    ],
    buffers: [bytesOf(values), bytesOf(new Float32Array(outputs))],
    ...changes,
  });
}

/** WhileOptions' number in BuiltinOptions. */
const WHILE_OPTIONS = 93;

/** y [1, size], multiplied three times by weights that a WHILE hands to its body unchanged. */
export function loopModel(
  size: number,
  values: Float32Array,
  changes: { readonly bodyGives?: number } = {},
): Flat {
  const counter: TensorSpec = { name: 'i', shape: [1], type: 'INT32' };
  const y: TensorSpec = { name: 'y', shape: [1, size] };
  const w: TensorSpec = { name: 'w', shape: [size, size] };
  return litertModel({
    graphs: [
      {
        tensors: [
          { ...counter, buffer: 2 },
          y,
          { ...w, buffer: 1 },
          { ...counter, name: 'i out' },
          { ...y, name: 'y out' },
          { ...w, name: 'w out' },
        ],
        operators: [
          {
            op: 'WHILE',
            inputs: [0, 1, 2],
            outputs: [3, 4, 5],
            options: [WHILE_OPTIONS, table({ 0: i32(1), 1: i32(2) })],
          },
        ],
        inputs: [1],
        outputs: [4],
      },
      {
        name: 'cond',
        tensors: [
          counter,
          y,
          w,
          { ...counter, name: 'three', buffer: 3 },
          { name: 'goes on', shape: [1], type: 'BOOL' },
        ],
        operators: [{ op: 'LESS', inputs: [0, 3], outputs: [4] }],
        inputs: [0, 1, 2],
        outputs: [4],
      },
      {
        name: 'body',
        tensors: [
          counter,
          y,
          w,
          { ...counter, name: 'one', buffer: 4 },
          { ...counter, name: 'next i' },
          { ...y, name: 'next y' },
        ],
        operators: [
          { op: 'ADD', inputs: [0, 3], outputs: [4], options: [11, table({})] },
          { op: 'FULLY_CONNECTED', inputs: [1, 2, -1], outputs: [5], options: [8, table({})] },
        ],
        inputs: [0, 1, 2],
        outputs: [4, 5, changes.bodyGives ?? 2],
      },
    ],
    buffers: [
      bytesOf(values),
      bytesOf(Int32Array.of(0)),
      bytesOf(Int32Array.of(3)),
      bytesOf(Int32Array.of(1)),
    ],
  });
}

/** IfOptions' number in BuiltinOptions. */
const IF_OPTIONS = 92;

/** y [1, size]: x times weights that an IF hands to its branches, of which only the second takes them; else x itself. */
export function branchModel(size: number, values: Float32Array): Flat {
  const x: TensorSpec = { name: 'x', shape: [1, size] };
  const w: TensorSpec = { name: 'w', shape: [size, size] };
  const given = [x, w, { ...x, name: 'product' }];
  const product: OperatorSpec = {
    op: 'FULLY_CONNECTED',
    inputs: [0, 1, -1],
    outputs: [2],
    options: [8, table({})],
  };
  return litertModel({
    graphs: [
      {
        tensors: [
          { name: 'which', shape: [1], type: 'BOOL' },
          x,
          { ...w, buffer: 1 },
          { ...x, name: 'y' },
        ],
        operators: [
          {
            op: 'IF',
            inputs: [0, 1, 2],
            outputs: [3],
            options: [IF_OPTIONS, table({ 0: i32(1), 1: i32(2) })],
          },
        ],
        inputs: [0, 1],
        outputs: [3],
      },
      { name: 'then', tensors: given, operators: [], inputs: [0, 1], outputs: [0] },
      { name: 'else', tensors: given, operators: [product], inputs: [0, 1], outputs: [2] },
    ],
    buffers: [bytesOf(values)],
  });
}

export function bytesOf(values: Float32Array | Int32Array | Uint16Array | Int8Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
