import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { openModel } from '../../../electron/engine/formats/registry.ts';
import type { Model } from '../../../shared/model.ts';
import { testPool } from '../../helpers/engine.ts';
import { recipe } from '../../helpers/export.ts';
import { floats, safetensorsFile, type TestTensor } from '../../helpers/safetensors.ts';
import { SafetensorsExporter } from '../../helpers/safetensors-export.ts';
import { temporaryFolder } from '../../helpers/temporary.ts';

const exporter = new SafetensorsExporter(testPool(), temporaryFolder());

const BITS: Readonly<Record<string, number>> = {
  ...{ F32: 32, F16: 16, BF16: 16, F8_E4M3: 8, F8_E8M0: 8, F4: 4 },
  ...{ I64: 64, I32: 32, I16: 16, I8: 8, U32: 32, U8: 8 },
};

/** A tensor by its type and shape, such as `I32 64x8`: float32 values near 1.2e-7, other types seeded bytes. */
function tensor(words: string): TestTensor {
  const [dtype, sizes = ''] = words.split(' ') as [string, string?];
  const shape = sizes === '' ? [] : sizes.split('x').map(Number);
  const elements = shape.reduce((total, size) => total * size, 1);
  if (dtype === 'F32') {
    const values = Float32Array.from({ length: elements }, (_, at) => 1.2345678e-7 + at * 1e-9);
    return { dtype, shape, bytes: new Uint8Array(values.buffer) };
  }
  const bytes = Uint8Array.from(
    { length: (elements * BITS[dtype]!) / 8 },
    (_, at) => (at * 37) % 59,
  );
  return { dtype, shape, bytes };
}

function integers(values: readonly number[]): TestTensor {
  const bytes = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
  return { dtype: 'I64', shape: [values.length], bytes };
}

type Stored = Readonly<Record<string, string | readonly number[]>>;

/** The layout, its tensors, which of them are codes, and how many weights they stand for. */
const LAYOUTS: readonly (readonly [string, Stored, string, number])[] = [
  [
    'bitsandbytes NF4',
    {
      'q.weight': 'U8 8192x1',
      'q.weight.absmax': 'F32 256',
      'q.weight.quant_map': 'F32 16',
      'q.weight.nested_absmax': 'F32 4',
      'q.weight.nested_quant_map': 'F32 256',
      'q.weight.quant_state.bitsandbytes__nf4': 'U8 80',
    },
    'q.weight',
    16384,
  ],
  [
    'bitsandbytes FP4',
    {
      'q.weight': 'BF16 4096x1',
      'q.weight.absmax': 'F32 2048',
      'q.weight.quant_map': 'F32 16',
      'q.weight.quant_state.bitsandbytes__fp4': 'U8 80',
    },
    'q.weight',
    16384,
  ],
  [
    'bitsandbytes int8',
    { 'q.weight': 'I8 64x64', 'q.SCB': 'F32 64', 'q.weight_format': 'U8' },
    'q.weight',
    4096,
  ],
  [
    'compressed-tensors packed',
    {
      'q.weight_packed': 'I32 64x16',
      'q.weight_scale': 'F32 64x32',
      'q.weight_zero_point': 'I32 8x32',
      'q.weight_shape': [64, 127],
      'q.weight_g_idx': 'I32 127',
    },
    'q.weight_packed',
    64 * 127,
  ],
  [
    'compressed-tensors NVFP4',
    {
      'q.weight_packed': 'U8 64x64',
      'q.weight_scale': 'F8_E4M3 64x8',
      'q.weight_global_scale': 'F32 1',
      'q.input_global_scale': 'F32 1',
    },
    'q.weight_packed',
    8192,
  ],
  [
    'NVFP4',
    {
      'q.weight': 'U8 64x64',
      'q.weight_scale': 'F8_E4M3 64x8',
      'q.weight_scale_2': 'F32',
      'q.input_scale': 'F32',
    },
    'q.weight',
    8192,
  ],
  [
    'MXFP4',
    { 'experts.gate_up_proj_blocks': 'U8 2x16x4x16', 'experts.gate_up_proj_scales': 'U8 2x16x4' },
    'experts.gate_up_proj_blocks',
    4096,
  ],
  ['MXFP4', { 'q.weight': 'U8 64x64', 'q.weight_scale': 'U8 64x4' }, 'q.weight', 8192],
  [
    'MLX',
    { 'q.weight': 'U32 64x16', 'q.scales': 'F32 64x2', 'q.biases': 'F32 64x2' },
    'q.weight',
    8192,
  ],
  [
    'quanto',
    { 'q.weight._data': 'I8 64x64', 'q.weight._scale': 'F32 64x1', 'q.input_scale': 'F32' },
    'q.weight._data',
    4096,
  ],
  [
    'GPTQ',
    {
      'q.qweight': 'I32 16x64',
      'q.qzeros': 'I32 32x8',
      'q.scales': 'F32 32x64',
      'q.g_idx': 'I32 128',
    },
    'q.qweight',
    8192,
  ],
  [
    'AWQ',
    { 'q.qweight': 'I32 128x8', 'q.qzeros': 'I32 32x8', 'q.scales': 'F32 32x64' },
    'q.qweight',
    8192,
  ],
  [
    'HQQ',
    {
      'q.W_q': 'U8 32x64',
      'q.scale': 'F32 2048x1',
      'q.zero': 'F32 2048x1',
      'q.nbits': [4],
      'q.shape': [64, 64],
    },
    'q.W_q',
    4096,
  ],
  [
    'torchao',
    { 'q._weight_qdata': 'F8_E4M3 64x64', 'q._weight_scale': 'F32 64x1' },
    'q._weight_qdata',
    4096,
  ],
  [
    'torchao',
    {
      'q.weight:qdata': 'U8 64x32',
      'q.weight:scale': 'F32 64x2',
      'q.weight:zero_point': 'F32 64x2',
    },
    'q.weight:qdata',
    4096,
  ],
  [
    'ComfyUI scaled float8',
    {
      scaled_fp8: 'F8_E4M3 2',
      'q.weight': 'F8_E4M3 64x64',
      'q.scale_weight': 'F32',
      'q.scale_input': 'F32',
    },
    'q.weight',
    4096,
  ],
  [
    'DeepSeek block-scaled',
    { 'q.weight': 'F8_E4M3 64x64', 'q.weight_scale_inv': 'F32 64x64' },
    'q.weight',
    4096,
  ],
  ['DeepSeek MXFP4', { 'q.weight': 'I8 64x64', 'q.scale': 'F8_E8M0 64x4' }, 'q.weight', 8192],
  [
    'FBGEMM float8',
    { 'q.weight': 'F8_E4M3 64x64', 'q.weight_scale': 'F32 64x1', 'q.input_scale_ub': 'F32 1' },
    'q.weight',
    4096,
  ],
  ['EETQ int8', { 'q.weight': 'I8 64x32', 'q.weight_scales': 'F32 32' }, 'q.weight', 2048],
  ['gpt-fast int8', { 'q.weight': 'I8 64x32', 'q.scales': 'F32 64' }, 'q.weight', 2048],
  ['BitNet', { 'q.weight': 'U8 16x64', 'q.weight_scale': 'F32 1' }, 'q.weight', 4096],
  ['ModelOpt int4', { 'q.weight': 'U8 32x64', 'q.weight_scale': 'F32 64x2' }, 'q.weight', 4096],
  [
    'compressed-tensors',
    {
      'q.weight': 'F8_E4M3 64x64',
      'q.weight_scale': 'F32 64x1',
      'q.input_scale': 'F32',
      'attn.k_scale': 'F32',
    },
    'q.weight',
    4096,
  ],
  ['Marlin', { 'q.B': 'I32 8x128', 'q.s': 'F32 2x64' }, 'q.B', 8192],
  [
    'AQLM',
    { 'q.codes': 'I8 64x8x2', 'q.codebooks': 'F32 2x256x1x8', 'q.scales': 'F32 64' },
    'q.codes',
    1024,
  ],
  [
    'EXL2',
    { 'q.q_weight': 'I32 16x64', 'q.q_scale': 'I32 4x8', 'q.q_scale_max': 'F32 4' },
    'q.q_weight',
    1024,
  ],
];

const rest = { 'norm.weight': floats([64]), 'fc.weight': floats([64, 64], 2) };

function tensorsOf(stored: Stored): Record<string, TestTensor> {
  const made = Object.entries(stored).map(([name, words]) => [
    name,
    typeof words === 'string' ? tensor(words) : integers(words),
  ]);
  return { ...rest, ...(Object.fromEntries(made) as Record<string, TestTensor>) };
}

function modelOf(files: Readonly<Record<string, Uint8Array | string>>): Model {
  const opened = openModel(exporter.folderOf(files));
  opened.close();
  return opened.model;
}

describe.each(LAYOUTS)('a weight as %s stores it', (layout, stored, codes, values) => {
  test('is named by its layout and counted by what its codes stand for', () => {
    const model = modelOf({ 'm.safetensors': safetensorsFile(tensorsOf(stored)) });
    const told = Object.keys(stored).map((name) => {
      const { role, fixed } = model.tensors.find((each) => each.name === name)!;
      return [name, role, fixed];
    });
    expect(told).toEqual(
      Object.keys(stored).map((name) =>
        name === codes
          ? [name, 'weight', `quantized already (${layout})`]
          : [name, 'constant', `belongs to a quantized weight (${layout})`],
      ),
    );
    expect(model.parameters).toBe(values + 64 + 4096);
  });

  test.each([
    ['cast', 'bfloat16', 'BF16', 'BF16'],
    ['cast', 'float16', 'F16', 'F16'],
    ['float', 'bfloat16', 'BF16', 'F32'],
    ['qdq', 'int8', 'I8', 'F32'],
    ['qdq', 'uint4-block32', undefined, 'F32'],
  ] as const)(
    'is copied whole by mode %s to %s, and the rest is not',
    async (mode, name, fc, norm) => {
      const tensors = tensorsOf(stored);
      const { file } = await exporter.single(tensors, recipe(name, { minElements: 1 }), mode);
      for (const each of Object.keys(stored))
        expect(file.tensors[each]).toMatchObject(tensors[each]!);
      expect(file.tensors['fc.weight']?.dtype).toBe(fc);
      expect(file.tensors['norm.weight']!.dtype).toBe(norm);
    },
  );

  test('is recognised when its tensors are in several shards, and by its scales alone where names tell', () => {
    const tensors = Object.entries(tensorsOf(stored));
    const shards = tensors.map(([name, value], at) => [`${at}.safetensors`, name, value] as const);
    const map = Object.fromEntries(shards.map(([shard, name]) => [name, shard]));
    const files = shards.map(([shard, name, value]) => [shard, safetensorsFile({ [name]: value })]);
    const model = modelOf({
      ...(Object.fromEntries(files) as Record<string, Uint8Array>),
      'model.safetensors.index.json': JSON.stringify({ metadata: {}, weight_map: map }),
    });
    const fixed = model.tensors.filter((each) => each.fixed?.includes(`(${layout})`) === true);
    expect(fixed.map(({ name }) => name).sort()).toEqual(Object.keys(stored).sort());
  });
});

test('scales that only quantizers write are kept where their codes are in another file', async () => {
  const tensors = { ...rest, 'q.weight_scale_inv': tensor('F32 64x64') };
  const { file, refused } = await exporter.single(tensors, recipe('bfloat16'), 'cast');
  expect(file.tensors['q.weight_scale_inv']).toMatchObject(tensors['q.weight_scale_inv']);
  expect(refused).toContain('belongs to a quantized weight (codes in another file)');
});

test('parameters that are named like scales are cast where nothing is quantized', async () => {
  const names = ['attn.k_scale', 'q.scales', 'q.scale', 'q.s', 'q.biases', 'mlp.input_scale'];
  const tensors = { ...rest, ...Object.fromEntries(names.map((name) => [name, floats([64])])) };
  const { file } = await exporter.single(tensors, recipe('bfloat16'), 'cast');
  for (const name of names) expect(file.tensors[name]!.dtype).toBe('BF16');
});

test('scales of one code per element are shown: those of bitsandbytes int8 are SCB / 127', () => {
  const model = modelOf({
    'm.safetensors': safetensorsFile(
      tensorsOf({ 'q.weight': 'I8 64x64', 'q.SCB': 'F32 64', 'q.weight_format': 'U8' }),
    ),
  });
  const { quantization, axis } = model.tensors.find(({ name }) => name === 'q.weight')!;
  expect(axis).toBe(0);
  expect(quantization).toMatchObject({ axis: 0, blockSize: null });
  expect(quantization!.scale.slice(0, 2)).toEqual(
    [1.2345678e-7, 1.2345678e-7 + 1e-9].map((value) => Math.fround(value) / 127),
  );
});

test('an export of a quantized checkpoint is the source byte for byte where nothing else is', async () => {
  const { out, source } = await exporter.single(
    { 'q.weight': tensor('F8_E4M3 64x64'), 'q.weight_scale_inv': tensor('F32 64x64') },
    recipe('bfloat16'),
    'cast',
  );
  expect(fs.readFileSync(out).equals(fs.readFileSync(source))).toBe(true);
  expect(path.basename(out)).toBe('out.safetensors');
});
