import * as fs from 'node:fs';
import * as path from 'node:path';
import { zipSync } from 'fflate';
import { onnx } from 'onnx-proto';
import { LITERT_MODELS } from '../helpers/litert-models.ts';
import { litertModel, bytesOf } from '../helpers/litert-model.ts';
import {
  constant,
  floatTensor,
  floats as rawFloats,
  model,
  node,
  randomValues,
  value,
} from '../helpers/onnx-model.ts';
import { REAL_MODELS } from '../helpers/real-models.ts';
import { root } from '../helpers/root.ts';
import { floats, rawFile, safetensorsFile } from '../helpers/safetensors.ts';

/** A well-formed set of files, one of which is mutated. */
export interface Seed {
  readonly name: string;
  readonly files: Readonly<Record<string, Uint8Array>>;
  /** The file that is mutated. */
  readonly mutated: string;
  /** The file that is opened, where it is another. */
  readonly opened?: string;
}

const single = (name: string, file: string, bytes: Uint8Array): Seed => ({
  name,
  files: { [file]: bytes },
  mutated: file,
});

/** Values of an ONNX tensor in every field that there is for them. */
const tensors: readonly onnx.ITensorProto[] = [
  floatTensor('conv.w', [8, 4, 3, 3], randomValues(288, 2)),
  floatTensor('conv.b', [8], randomValues(8, 3)),
  { name: 'gemm.w', dims: [32, 16], dataType: 1, floatData: randomValues(512, 4) },
  {
    name: 'half',
    dims: [16, 32],
    dataType: 10,
    int32Data: randomValues(512, 5).map((_, at) => at),
  },
  { name: 'brain', dims: [4, 32], dataType: 16, rawData: new Uint8Array(256).fill(63) },
  { name: 'double', dims: [4, 8], dataType: 11, doubleData: randomValues(32, 6) },
  { name: 'shape', dims: [2], dataType: 7, int64Data: [1, 32] as never },
  { name: 'codes', dims: [32, 4], dataType: 3, rawData: new Uint8Array(128).fill(200) },
  { name: 'scale', dims: [4], dataType: 1, rawData: rawFloats([0.1, 0.2, 0.3, 0.4]) },
  { name: 'zero', dims: [4], dataType: 3, rawData: new Uint8Array(4) },
  { name: 'words', dims: [2], dataType: 8, stringData: [Buffer.from('a'), Buffer.from('b')] },
  { name: 'nothing', dims: [0, 4], dataType: 1 },
  { name: 'one', dims: [], dataType: 1, floatData: [1] },
  {
    name: 'outside',
    dims: [16, 16],
    dataType: 1,
    dataLocation: 1,
    externalData: [
      { key: 'location', value: 'weights.bin' },
      { key: 'offset', value: '64' },
      { key: 'length', value: '1024' },
    ],
  },
  { name: 'packed', dims: [8, 2, 16], dataType: 2, rawData: new Uint8Array(256).fill(0x7a) },
  { name: 'packed.scale', dims: [16], dataType: 1, rawData: rawFloats(randomValues(16, 8)) },
];

const branch = (name: string): onnx.IGraphProto => ({
  name,
  node: [
    constant(`${name}.w`, floatTensor('', [8, 8], randomValues(64, 9))),
    node('MatMul', ['m', `${name}.w`], [`${name}.y`]),
  ],
  output: [value(`${name}.y`, ['n', 8])],
});

const everything = model(
  {
    node: [
      node('Conv', ['x', 'conv.w', 'conv.b'], ['c']),
      node('Gemm', ['f', 'gemm.w'], ['g'], { attribute: [{ name: 'transB', type: 2, i: 0 }] }),
      node('MatMul', ['g', 'half'], ['h']),
      node('DequantizeLinear', ['codes', 'scale', 'zero'], ['w'], {
        attribute: [{ name: 'axis', type: 2, i: 1 }],
      }),
      node('MatMul', ['h', 'w'], ['i']),
      node('Gather', ['outside', 'shape'], ['j'], { attribute: [{ name: 'axis', type: 2, i: 0 }] }),
      node('If', ['cond'], ['k'], {
        attribute: [
          { name: 'then_branch', type: 5, g: branch('then') },
          { name: 'else_branch', type: 5, g: branch('else') },
        ],
      }),
      node('MatMulNBits', ['h', 'packed', 'packed.scale'], ['l'], {
        domain: 'com.microsoft',
        attribute: ['K', 'N', 'bits', 'block_size'].map((name, at) => ({
          name,
          type: 2,
          i: [32, 8, 4, 32][at]!,
        })),
      }),
      node('Twice', ['h'], ['t'], { domain: 'test' }),
      node('LSTM', ['s', 'lstm.w', 'lstm.r'], ['u'], {
        attribute: [{ name: 'hidden_size', type: 2, i: 4 }],
      }),
      constant('lstm.w', floatTensor('', [1, 16, 4], randomValues(64, 10))),
      constant('lstm.r', floatTensor('', [1, 16, 4], randomValues(64, 11))),
      node('Constant', [], ['v'], {
        attribute: [{ name: 'value_floats', type: 6, floats: [1, 2, 3] }],
      }),
    ],
    initializer: [...tensors],
    sparseInitializer: [
      {
        dims: [4, 4],
        values: { name: 'sparse', dims: [2], dataType: 1, floatData: [1, 2] },
        indices: { dims: [2], dataType: 7, int64Data: [1, 9] as never },
      },
    ],
    input: [value('x', ['n', 4, 8, 8]), value('f', ['n', 32])],
    output: [value('i', ['n', 4])],
  },
  {
    opset: 21,
    irVersion: 10,
    imports: [
      { domain: 'com.microsoft', version: 1 },
      { domain: 'test', version: 1 },
    ],
    functions: [
      {
        name: 'Twice',
        domain: 'test',
        input: ['a'],
        output: ['b'],
        opsetImport: [{ domain: '', version: 21 }],
        node: [
          constant('two', floatTensor('', [8, 8], randomValues(64, 12))),
          node('MatMul', ['a', 'two'], ['b']),
        ],
      },
    ],
  },
);

/** Real models up to a megabyte, and one with everything that the reader knows. */
export function onnxSeeds(): Seed[] {
  const beside = { 'weights.bin': new Uint8Array(4096).fill(61) };
  const real = REAL_MODELS.filter(({ name }) => name === 'PP-OCR cls' || name === 'hello-deepa');
  return [
    { name: 'everything', files: { 'model.onnx': everything, ...beside }, mutated: 'model.onnx' },
    {
      name: 'everything again',
      files: { 'model.onnx': everything, ...beside },
      mutated: 'model.onnx',
    },
    ...real.map(({ name, file }) => single(name, 'model.onnx', fs.readFileSync(file))),
  ];
}

const bytes = (dtype: string, shape: readonly number[], length: number) => ({
  dtype,
  shape,
  bytes: new Uint8Array(length).fill(60),
});
const described = (entry: object): Record<string, string> => ({
  format: 'pt',
  'quantscope.quantization': JSON.stringify({ 'a.weight': { shape: [4, 64], ...entry } }),
});

/** Files of every element type, of codes with their scales, and a set with its index. */
export function safetensorsSeeds(): Seed[] {
  const types = [
    'F64',
    'F32',
    'F16',
    'BF16',
    'F8_E4M3',
    'F8_E5M2',
    'I64',
    'I32',
    'I16',
    'I8',
    'U64',
    'U32',
    'U16',
    'U8',
    'BOOL',
  ];
  const width = (type: string): number =>
    /64$/.test(type) ? 8 : /32$/.test(type) ? 4 : /16$/.test(type) ? 2 : 1;
  const every = Object.fromEntries(
    types.map((type) => [`layers.0.${type}.weight`, bytes(type, [4, 16], 64 * width(type))]),
  );
  const one = safetensorsFile({ 'a.weight': floats([4, 32]), 'a.bias': floats([4]) });
  const two = safetensorsFile({ 'b.weight': floats([4, 32], 2) });
  const index = JSON.stringify({
    metadata: { total_size: 1040 },
    weight_map: {
      'a.weight': '1.safetensors',
      'a.bias': '1.safetensors',
      'b.weight': '2.safetensors',
    },
  });
  const INDEX = 'model.safetensors.index.json';
  const set = { '1.safetensors': one, '2.safetensors': two, [INDEX]: Buffer.from(index) };
  const file = 'model.safetensors';
  return [
    single('types', file, safetensorsFile(every, { format: 'pt' })),
    single(
      'plain',
      file,
      safetensorsFile({
        'a.weight': floats([4, 64]),
        'a.bias': floats([4]),
        b: floats([]),
        c: floats([0, 4]),
      }),
    ),
    single(
      'codes',
      file,
      safetensorsFile(
        {
          'a.weight': bytes('I8', [4, 64], 256),
          'a.weight_scale': floats([4, 1]),
          'a.weight_zero_point': bytes('I8', [4, 1], 4),
        },
        described({
          dtype: 'int8',
          codes: 'a.weight',
          scale: 'a.weight_scale',
          zero_point: 'a.weight_zero_point',
          axis: 0,
        }),
      ),
    ),
    single(
      'blocks',
      file,
      safetensorsFile(
        { 'a.weight_packed': bytes('U8', [128], 128), 'a.weight_scale': floats([4, 2]) },
        described({
          dtype: 'int4',
          codes: 'a.weight_packed',
          scale: 'a.weight_scale',
          axis: 1,
          block_size: 32,
        }),
      ),
    ),
    single('empty', file, rawFile('{}')),
    single(
      'members that are not known',
      file,
      rawFile(
        '{"a.weight":{"dtype":"U8","note":{"a":[1.5,"x"]},"shape":[2],"data_offsets":[0,2]}}',
        Uint8Array.of(1, 2),
      ),
    ),
    { name: 'index', files: set, mutated: INDEX },
    { name: 'shard', files: set, mutated: '1.safetensors', opened: INDEX },
  ];
}

/** Two graphs, one of them a loop's; shared buffers, codes, a custom operator, metadata. */
function litertEverything(): Uint8Array {
  const weights = Float32Array.from(randomValues(2048, 3));
  return litertModel({
    graphs: [
      {
        name: 'main',
        tensors: [
          { name: 'x', shape: [1, 32] },
          { name: 'w', shape: [32, 32], buffer: 1 },
          { name: 'y', shape: [1, 32] },
          {
            name: 'codes',
            shape: [32, 32],
            type: 'INT8',
            buffer: 2,
            scale: randomValues(32, 4).map(Math.abs),
            axis: 0,
          },
          { name: 'z', shape: [1, 32] },
          { name: 'half', shape: [32, 32], type: 'FLOAT16', buffer: 3 },
          { name: 'restored', shape: [32, 32] },
          { name: 'u', shape: [1, 32] },
          { name: 'v', shape: [1, 32] },
          { name: 'four', shape: [32, 32], type: 'INT4', buffer: 4, scale: [0.1], axis: 0 },
        ],
        operators: [
          { op: 'FULLY_CONNECTED', inputs: [0, 1, -1], outputs: [2] },
          { op: 'FULLY_CONNECTED', inputs: [2, 3, -1], outputs: [4] },
          { op: 'DEQUANTIZE', inputs: [5], outputs: [6] },
          { op: 'FULLY_CONNECTED', inputs: [4, 6, -1], outputs: [7] },
          { op: 'CUSTOM', inputs: [7, 9], outputs: [8], customCode: 'Mine' },
        ],
        inputs: [0],
        outputs: [8],
      },
      {
        name: 'other',
        tensors: [
          { name: 'x', shape: [1, 32] },
          { name: 'w again', shape: [32, 32], buffer: 1 },
          { name: 'y', shape: [1, 32] },
        ],
        operators: [{ op: 'FULLY_CONNECTED', inputs: [0, 1, -1], outputs: [2] }],
        inputs: [0],
        outputs: [2],
      },
    ],
    buffers: [
      bytesOf(weights.slice(0, 1024)),
      new Uint8Array(1024).fill(7),
      new Uint8Array(2048).fill(60),
      new Uint8Array(512).fill(0x19),
      Buffer.from('1.5.0\0\0\0'),
    ],
    metadata: [['min_runtime_version', 5]],
  }).bytes;
}

/** The converter's small models, one of our own, and real ones. */
export function litertSeeds(): Seed[] {
  const golden = path.join(root, 'test/fixtures/goldens/litert_models.json');
  const { models } = JSON.parse(fs.readFileSync(golden, 'utf8')) as {
    models: { name: string; float: string }[];
  };
  const file = 'model.tflite';
  const real = [LITERT_MODELS.faceSparse, LITERT_MODELS.selfie, LITERT_MODELS.faceShort];
  return [
    single('everything', file, litertEverything()),
    ...models.map(({ name, float }) => single(name, file, Buffer.from(float, 'base64'))),
    ...real.map((each) => single(path.basename(each), file, fs.readFileSync(each))),
  ];
}

/** Recipe files with every field. */
export function recipeSeeds(): Seed[] {
  const recipe = {
    version: 1,
    name: 'mine',
    default: {
      dtype: 'int8',
      symmetric: true,
      granularity: 'channel',
      range: 'minmax',
      narrowRange: true,
    },
    minElements: 16,
    rules: [
      { match: { op: 'Gather' }, scheme: { dtype: 'float16' } },
      { match: { name: '^head\\.', role: 'weight' }, scheme: null },
      {
        match: { name: 'w$' },
        scheme: { dtype: 'int4', granularity: { block: 32 }, range: { percentile: 99.9 } },
      },
      {
        match: {},
        scheme: { dtype: 'q15', powerOfTwo: true, rounding: 'zero', range: { clip: [-1, 1] } },
      },
    ],
  };
  return [single('recipe', 'recipe.json', Buffer.from(JSON.stringify(recipe)))];
}

/** A .npy file of a header and values. */
function npy(header: string, values: Uint8Array, version = 1): Uint8Array {
  const text = Buffer.from(header.padEnd(117) + '\n');
  const length =
    version === 1
      ? [text.length & 255, text.length >> 8]
      : [text.length & 255, text.length >> 8, 0, 0];
  return Buffer.concat([
    Buffer.from('\u0093NUMPY', 'latin1'),
    Buffer.from([version, 0, ...length]),
    text,
    values,
  ]);
}

/** Samples for the inputs `x` and `ids`. */
export function sampleSeeds(): Seed[] {
  const x = npy(
    "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 4), }",
    rawFloats(randomValues(8, 1)),
  );
  const ids = npy(
    "{'descr': '<i8', 'fortran_order': False, 'shape': (3,), }",
    new Uint8Array(24),
    2,
  );
  const proto = (tensor: onnx.ITensorProto): Uint8Array => onnx.TensorProto.encode(tensor).finish();
  const raw = proto(floatTensor('x', [2, 4], randomValues(8, 1)));
  const typed = proto({ name: 'ids', dims: [3], dataType: 7, int64Data: [1, 2, 3] as never });
  const half = proto({ name: 'x', dims: [2], dataType: 10, int32Data: [15360, 0] });
  return [
    single('npz', 'a.npz', zipSync({ 'x.npy': x, 'ids.npy': ids })),
    single('npz stored', 'a.npz', zipSync({ 'x.npy': x, 'ids.npy': ids }, { level: 0 })),
    { name: 'npy', files: { 'x.npy': x, 'ids.npy': ids }, mutated: 'x.npy' },
    { name: 'npy 2', files: { 'x.npy': x, 'ids.npy': ids }, mutated: 'ids.npy' },
    { name: 'pb', files: { 'input_0.pb': raw, 'input_1.pb': typed }, mutated: 'input_0.pb' },
    { name: 'pb typed', files: { 'input_0.pb': raw, 'input_1.pb': typed }, mutated: 'input_1.pb' },
    { name: 'pb half', files: { 'input_0.pb': half, 'input_1.pb': typed }, mutated: 'input_0.pb' },
  ];
}

/** Labels as a list, as an object and in a configuration, and a tokenizer of each kind of vocabulary. */
export function namesSeeds(): Seed[] {
  const labels = Array.from({ length: 12 }, (_, index) => `class ${index}`);
  const byNumber = Object.fromEntries(labels.map((label, index) => [index, label]));
  const byName = Object.fromEntries(labels.map((label, index) => [label, index]));
  const added = [{ id: 12, content: '</s>', special: true }];
  const json = (name: string, value: object): Seed =>
    single(name, `${name}.json`, Buffer.from(JSON.stringify(value)));
  return [
    json('labels', labels),
    json('by-number', byNumber),
    json('by-name', byName),
    json('config', { model_type: 'bert', id2label: byNumber, layers: [1, 2, { a: null }] }),
    json('tokenizer', {
      added_tokens: added,
      decoder: { type: 'ByteLevel' },
      model: { type: 'BPE', vocab: byName, merges: ['a b', 'c d'] },
    }),
    json('tokenizer-unigram', {
      added_tokens: added,
      model: { type: 'Unigram', vocab: labels.map((label) => [label, -1.5]) },
    }),
  ];
}
