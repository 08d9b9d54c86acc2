import { BASE_ACTIVATIONS, type Recipe } from './recipe.ts';
import { BASE_SCHEME, type SchemeFields } from './scheme.ts';

function preset(
  name: string,
  scheme: Partial<SchemeFields>,
  others: Partial<Pick<Recipe, 'minElements' | 'activations' | 'equalize'>> = {},
): Recipe {
  const { minElements = 1024, ...rest } = others;
  return {
    version: 1,
    name,
    default: { ...BASE_SCHEME, ...scheme },
    ...{ minElements, rules: [], ...rest },
  };
}

/** The operators that onnxruntime's quantize_static quantizes by default (its QDQRegistry and QLinearOpsRegistry). */
const ORT_STATIC_OPERATORS = [
  ...[
    'Add',
    'ArgMax',
    'AveragePool',
    'BatchNormalization',
    'Clip',
    'Concat',
    'Conv',
    'ConvTranspose',
  ],
  ...['CumSum', 'EmbedLayerNormalization', 'Flatten', 'Gather', 'GatherElements', 'Gemm'],
  ...['GlobalAveragePool', 'InstanceNormalization', 'LayerNormalization', 'LeakyRelu', 'MatMul'],
  ...['MaxPool', 'Mul', 'Pad', 'Relu', 'Reshape', 'Resize', 'Sigmoid', 'Slice', 'Softmax', 'Split'],
  ...['Squeeze', 'TopK', 'Transpose', 'Unsqueeze', 'Where'],
];

/** The recipes known by name, on the command line and in the app. */
export const PRESETS: readonly Recipe[] = [
  preset('float16', { dtype: 'float16' }),
  preset('bfloat16', { dtype: 'bfloat16' }),
  preset('int8', { dtype: 'int8' }),
  preset('int8-tensor', { dtype: 'int8', granularity: 'tensor' }),
  preset('uint8', { dtype: 'uint8', symmetric: false, granularity: 'tensor' }),
  preset('int16', { dtype: 'int16' }),
  // Ranges are minmax: on real models a search for the least error of the weights made outputs worse (docs/accuracy.md).
  preset('int4-block32', { dtype: 'int4', granularity: { block: 32 }, signedScale: true }),
  preset('uint4-block32', { dtype: 'uint4', symmetric: false, granularity: { block: 32 } }),
  // Codes and scales for the least error of what each layer computes, on samples.
  preset('int4-gptq', {
    ...{ dtype: 'int4', granularity: { block: 32 } },
    ...{ range: 'mse', signedScale: true, algorithm: 'gptq' },
  }),
  // LiteRT's dynamic range quantization of weights.
  preset('litert-dynamic', { dtype: 'int8', narrowRange: true }),
  // LiteRT's 4 bits: absmax / 7 per channel, as its kernels take no blocks.
  preset('litert-int4', { dtype: 'int4', narrowRange: true }),
  // onnxruntime's quantize_dynamic by default: int8, symmetric, per tensor, whatever the size.
  preset('ort-dynamic', { dtype: 'int8', granularity: 'tensor' }, { minElements: 0 }),
  // Mode static quantizes the activations as well.
  preset('static-int8', {}, { activations: BASE_ACTIVATIONS }),
  preset(
    'static-int8-best',
    { algorithm: 'gptq' },
    {
      activations: { ...BASE_ACTIVATIONS, rangeByOutputs: true },
      equalize: 'byOutputs',
    },
  ),
  // onnxruntime's quantize_static by default.
  preset(
    'ort-static',
    { granularity: 'tensor' },
    {
      minElements: 0,
      activations: {
        dtype: 'int8',
        symmetric: false,
        range: 'minmax',
        operators: ORT_STATIC_OPERATORS,
      },
    },
  ),
  // LiteRT's full integer quantization, as its converter does it.
  preset(
    'litert-full-integer',
    { dtype: 'int8', narrowRange: true },
    { minElements: 0, activations: { dtype: 'int8', symmetric: false, range: 'minmax' } },
  ),
  // The same with activations of 16 bits, symmetric, and biases of 64.
  preset(
    'litert-16x8',
    { dtype: 'int8', narrowRange: true },
    { minElements: 0, activations: { dtype: 'int16', symmetric: true, range: 'minmax' } },
  ),
  // CMSIS-DSP fixed point: what is outside [-1, 1) saturates.
  preset('q7', { dtype: 'q7', granularity: 'tensor' }),
  preset('q15', { dtype: 'q15', granularity: 'tensor' }),
  preset('q31', { dtype: 'q31', granularity: 'tensor' }),
];

/** What each preset does, in one sentence. Not a field of the recipe, as recipe files know no such field. */
export const PRESET_DESCRIPTIONS: Readonly<Record<string, string>> = {
  float16: 'Casts float32 weights to half precision; no scales.',
  bfloat16:
    'Casts float32 weights to bfloat16: the range of float32, 8 bits of precision; no scales.',
  int8: 'Symmetric int8, one scale per channel: the first choice for most networks.',
  'int8-tensor':
    'Symmetric int8, one scale per tensor: smaller parameters, larger error than int8.',
  uint8: 'Asymmetric uint8 with a zero point, one scale per tensor.',
  int16: 'Symmetric int16, one scale per channel: nearly exact, half the bytes of float32.',
  'int4-block32':
    'Symmetric int4, one scale of either sign per block of 32 weights: for large language models.',
  'uint4-block32': 'Asymmetric uint4, one scale and zero point per block of 32 weights.',
  'int4-gptq':
    'Symmetric int4 in blocks of 32, scales and codes chosen for the outputs of each layer (GPTQ); needs samples.',
  'litert-dynamic':
    'The weights of LiteRT dynamic range quantization: int8 in -127 to 127, per channel.',
  'litert-int4': 'The 4-bit weights that LiteRT runs: int4 in -7 to 7, per channel.',
  'ort-dynamic':
    'Quantizes every weight per tensor, as onnxruntime does by default; int8 is the better choice.',
  'static-int8':
    'Weights in int8 per channel and, in mode static, activations in uint8: onnxruntime computes on integers.',
  'static-int8-best':
    "As static-int8, with codes of weights chosen for the outputs of each layer (GPTQ), and ranges and equalization for the model's; needs samples.",
  'ort-static':
    "onnxruntime's quantize_static by default: int8 weights and activations, per tensor, of most operators.",
  'litert-full-integer':
    'In mode static of LiteRT: int8 weights and activations, int32 biases, as microcontrollers need them.',
  'litert-16x8':
    'Full integer with int16 activations, in mode static of LiteRT: the accuracy is nearly that of all weights in int8 alone; slower.',
  q7: 'CMSIS-DSP fixed point of 8 bits: values outside [-1, 1) saturate.',
  q15: 'CMSIS-DSP fixed point of 16 bits: values outside [-1, 1) saturate.',
  q31: 'CMSIS-DSP fixed point of 32 bits: values outside [-1, 1) saturate.',
};

/** The preset of a name; undefined where none has it. */
export function findPreset(name: string): Recipe | undefined {
  return PRESETS.find((recipe) => recipe.name === name);
}
