import type { DtypeName } from '../../../../../shared/dtypes.ts';
import {
  bitsOfMlx,
  bitsOfShape,
  bitsOfStorage,
  bitsOfZeros,
  isBlockScale,
  smallValues,
  type Context,
} from './stored-bits.ts';

/**
 * How one tool stores a quantized weight. In templates `$` is the name of the codes and `@` the first
 * group of the `codes` pattern.
 */
export interface StoredLayout {
  readonly name: string;
  /** The name of the tensor of codes. */
  readonly codes: RegExp;
  /** Storage types of the codes; any where absent. */
  readonly dtypes?: readonly DtypeName[];
  /** Tensors that must all be there: they tell this layout from others. */
  readonly needs: readonly string[];
  /** Tensors that belong to the codes when they are there. */
  readonly keeps?: readonly string[];
  /** What names alone do not decide. */
  readonly fits?: (context: Context) => boolean;
  /** Bits of one code; the width of the stored element where absent. */
  readonly bits?: number | ((context: Context) => number | null);
  /** Scales of one code per element, one for the tensor or one for each channel. */
  readonly scale?: { readonly of: string; readonly axis: number; readonly divisor: number };
}

const FLOAT8: readonly DtypeName[] = [
  'float8_e4m3fn',
  'float8_e4m3fnuz',
  'float8_e5m2',
  'float8_e5m2fnuz',
];
const INTEGERS: readonly DtypeName[] = ['int8', 'uint8', 'int16', 'int32', 'uint32'];

/** Scales of activations, and what else tools put beside the weight of a module; `@` is the module. */
export const OF_MODULE = [
  '@.input_scale',
  '@.input_zero_point',
  '@.input_global_scale',
  '@.input_scale_ub',
  '@.output_scale',
  '@.output_zero_point',
  '@.pre_quant_scale',
  '@.scale_input',
  '@.comfy_quant',
  '@.smooth_factor',
];

/**
 * The layouts, the most telling first: the first that fits a tensor is its own. Sources: bitsandbytes
 * `QuantState.as_dict`, compressed-tensors `compressors/`, transformers `quantizers/`, ComfyUI `ops.py`,
 * ModelOpt `export/`, MLX `nn.quantize`, optimum-quanto `QTensor.save_to_state_dict`, AutoGPTQ, AutoAWQ,
 * HQQ `HQQLinear.state_dict`, torchao `prototype/safetensors`, exllamav2 and v3, AQLM, QuIP#.
 */
export const LAYOUTS: readonly StoredLayout[] = [
  bitsandbytes4('nf4'),
  bitsandbytes4('fp4'),
  {
    name: 'bitsandbytes int8',
    codes: /^(.+)\.weight$/s,
    dtypes: ['int8'],
    needs: ['@.SCB'],
    keeps: ['@.weight_format'],
    scale: { of: '@.SCB', axis: 0, divisor: 127 },
  },
  {
    name: 'GPTQ Marlin 2:4',
    codes: /^(.+)\.weight_packed$/s,
    dtypes: ['int32'],
    needs: ['@.scale_packed', '@.meta'],
    bits: 4,
  },
  {
    name: 'compressed-tensors NVFP4',
    codes: /^(.+)_packed$/s,
    dtypes: ['uint8'],
    needs: ['@_scale', '@_global_scale'],
    bits: 4,
  },
  {
    name: 'compressed-tensors packed',
    codes: /^(.+)_packed$/s,
    dtypes: ['int32', 'uint8', 'int8'],
    needs: ['@_scale'],
    keeps: ['@_shape', '@_zero_point', '@_g_idx'],
    bits: bitsOfShape,
  },
  {
    name: 'NVFP4',
    codes: /^(.+)$/s,
    dtypes: ['uint8', 'float4_e2m1fn'],
    needs: ['$_scale', '$_scale_2'],
    bits: 4,
  },
  {
    name: 'MXFP4',
    codes: /^(.+)$/s,
    dtypes: ['uint8', 'int8'],
    needs: ['$_scale'],
    fits: ({ find }) => isBlockScale(find('$_scale')),
    bits: 4,
  },
  {
    name: 'MXFP4',
    codes: /^(.+)_blocks$/s,
    dtypes: ['uint8'],
    needs: ['@_scales'],
    bits: 4,
  },
  {
    name: 'MXFP4',
    codes: /^(.+)\.blocks$/s,
    dtypes: ['uint8'],
    needs: ['@.scales'],
    bits: 4,
  },
  {
    name: 'MLX',
    codes: /^(.+)\.weight$/s,
    dtypes: ['uint32'],
    needs: ['@.scales'],
    keeps: ['@.biases'],
    bits: bitsOfMlx,
  },
  {
    name: 'quanto packed',
    codes: /^(.+)\._data\._data$/s,
    needs: ['@._scale'],
    keeps: ['@._shift', '@._zeropoint'],
  },
  {
    name: 'quanto',
    codes: /^(.+)\._data$/s,
    needs: ['@._scale'],
    keeps: ['@._shift', '@._zeropoint'],
    scale: { of: '@._scale', axis: 0, divisor: 1 },
  },
  {
    name: 'AWQ',
    codes: /^(.+)\.qweight$/s,
    dtypes: ['int32'],
    needs: ['@.scales', '@.qzeros'],
    fits: ({ codes, find }) =>
      find('@.g_idx') === undefined && codes.shape[1] === find('@.qzeros')?.shape[1],
    bits: bitsOfZeros,
  },
  {
    name: 'GPTQ',
    codes: /^(.+)\.qweight$/s,
    dtypes: ['int32', 'int16', 'int8', 'uint8'],
    needs: ['@.scales'],
    keeps: ['@.qzeros', '@.g_idx', '@.channel_scale', '@.perm'],
    bits: bitsOfZeros,
  },
  {
    name: 'Marlin',
    codes: /^(.+)\.B$/s,
    dtypes: ['int32'],
    needs: ['@.s'],
    keeps: ['@.workspace'],
    bits: 4,
  },
  {
    name: 'QQQ',
    codes: /^(.+)\.B$/s,
    dtypes: ['int32'],
    needs: ['@.s_channel'],
    keeps: ['@.s_group', '@.workspace'],
    bits: 4,
  },
  {
    name: 'HQQ',
    codes: /^(.+)\.W_q$/s,
    needs: [],
    keeps: [
      ...['scale', 'zero', 'scale_q', 'zero_q', 'meta_scale', 'meta_zero', 'nbits', 'group_size'],
      ...['shape', 'axis', 'packing', 'channel_wise', 'optimize', 'round_zero', 'view_as_float'],
      ...['quant_scale', 'quant_zero', 'unpack_view_dtype', 'compute_dtype', 'offload_meta'],
      ...['encoded_state_dict', 'stores_quant_config'],
    ].map((part) => `@.${part}`),
    bits: ({ find, read }) => smallValues(find('@.nbits'), read)?.[0] ?? null,
  },
  {
    name: 'torchao',
    codes: /^(.+)[_:]qdata$/s,
    needs: ['@_scale'],
    keeps: ['@_zero_point', '@_per_tensor_scale', '@_act_pre_scale', '@_act_per_tensor_scale'],
    bits: bitsOfStorage,
  },
  {
    name: 'torchao',
    codes: /^(.+):qdata$/s,
    needs: ['@:scale'],
    keeps: ['@:zero_point', '@:per_tensor_scale', '@:act_pre_scale', '@:act_per_tensor_scale'],
    bits: bitsOfStorage,
  },
  {
    name: 'ComfyUI scaled float8',
    codes: /^(.+)\.weight$/s,
    dtypes: FLOAT8,
    needs: ['@.scale_weight'],
  },
  {
    name: 'FBGEMM float8',
    codes: /^(.+)\.weight$/s,
    dtypes: FLOAT8,
    needs: ['$_scale', '@.input_scale_ub'],
  },
  {
    name: 'DeepSeek block-scaled',
    codes: /^(.+)$/s,
    dtypes: [...FLOAT8, 'int8'],
    needs: ['$_scale_inv'],
  },
  {
    name: 'EETQ int8',
    codes: /^(.+)\.weight$/s,
    dtypes: ['int8'],
    needs: ['@.weight_scales'],
    scale: { of: '@.weight_scales', axis: 1, divisor: 1 },
  },
  {
    name: 'gpt-fast int4',
    codes: /^(.+)\.weight$/s,
    dtypes: ['int32', 'uint8'],
    needs: ['@.scales_and_zeros'],
    bits: 4,
  },
  {
    name: 'gpt-fast int8',
    codes: /^(.+)\.weight$/s,
    dtypes: ['int8'],
    needs: ['@.scales'],
    scale: { of: '@.scales', axis: 0, divisor: 1 },
  },
  {
    name: 'BitNet',
    codes: /^(.+)\.weight$/s,
    dtypes: ['uint8'],
    needs: ['$_scale'],
    fits: ({ find }) => find('$_scale')?.elements === 1 && find('$_zero_point') === undefined,
    bits: 2,
  },
  {
    name: 'ModelOpt int4',
    codes: /^(.+)\.weight$/s,
    dtypes: ['uint8'],
    needs: ['$_scale'],
    fits: ({ codes, find }) => find('$_scale')?.shape[0] === (codes.shape[0] ?? 0) * 2,
    bits: 4,
  },
  {
    name: 'compressed-tensors',
    codes: /^(.+)$/s,
    dtypes: [...FLOAT8, ...INTEGERS],
    needs: ['$_scale'],
    keeps: ['$_zero_point', '$_g_idx', '$_shape'],
  },
  {
    name: 'DeepSeek MXFP4',
    codes: /^(.+)\.weight$/s,
    dtypes: ['int8', 'uint8', 'float4_e2m1fn'],
    needs: ['@.scale'],
    fits: ({ find }) => isBlockScale(find('@.scale')),
    bits: 4,
  },
  {
    name: 'scaled codes',
    codes: /^(.+)\.weight$/s,
    dtypes: [...FLOAT8, 'int8'],
    needs: ['@.scale'],
  },
  {
    name: 'EXL2',
    codes: /^(.+)\.q_weight$/s,
    needs: ['@.q_scale'],
    keeps: ['@.q_scale_max', '@.q_groups', '@.q_invperm', '@.q_perm', '@.q_group_map'],
  },
  {
    name: 'EXL3',
    codes: /^(.+)\.trellis$/s,
    needs: [],
    keeps: ['@.suh', '@.svh', '@.su', '@.sv', '@.mcg', '@.mul1'],
  },
  { name: 'AQLM', codes: /^(.+)\.codes$/s, needs: ['@.codebooks'], keeps: ['@.scales'] },
  {
    name: 'QuIP#',
    codes: /^(.+)\.Qidxs$/s,
    needs: [],
    keeps: ['@.SU', '@.SV', '@.Wscale', '@.codebook_id', '@.A', '@.B', '@.fuse_scales'],
  },
];

function bitsandbytes4(type: 'nf4' | 'fp4'): StoredLayout {
  return {
    name: `bitsandbytes ${type.toUpperCase()}`,
    codes: /^(.+)$/s,
    needs: ['$.absmax', `$.quant_state.bitsandbytes__${type}`],
    keeps: ['$.quant_map', '$.nested_absmax', '$.nested_quant_map'],
    bits: 4,
  };
}
