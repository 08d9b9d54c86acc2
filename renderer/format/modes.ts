import { escaped } from '../../shared/errors.ts';
import type { ExportMode, ExportPreview } from '../../shared/exports.ts';
import type { LayerPart } from '../../shared/layer-errors.ts';
import type { Recipe } from '../../shared/recipe.ts';
import { onnxRuntime } from '../../shared/runtimes.ts';

/** What a mode is called, and what it is, in a line. */
export interface ModeWords {
  readonly name: string;
  readonly what: string;
}

const onnxWords: Readonly<Record<ExportMode, ModeWords>> = {
  qdq: { name: 'QDQ', what: 'weights as the recipe says; arithmetic in float' },
  dynamic: { name: 'Dynamic', what: 'MatMul, Gemm, Conv and LSTM on integers' },
  static: {
    name: 'Static',
    what: 'Conv, MatMul and Gemm on integers, with ranges of activations from samples',
  },
  float: { name: 'Float', what: 'float schemes only; other weights keep their type' },
  float16: { name: 'Float16', what: 'weights and arithmetic in float16; inputs and outputs stay' },
  cast: { name: 'Cast', what: 'every float tensor in the type of the recipe, as model.to() does' },
  nbits: { name: 'NBits', what: 'MatMul on weights of 4 or 8 bits in blocks' },
};

/** Where a mode is not what it is in ONNX. */
const otherWords: Partial<Record<string, Partial<Record<ExportMode, ModeWords>>>> = {
  safetensors: {
    qdq: {
      name: 'Codes',
      what: 'codes, scales and zero points as tensors of their own',
    },
    float: { name: 'Float', what: 'float schemes only; other weights keep their type' },
  },
  litert: {
    qdq: {
      name: 'Weights',
      what: 'as the recipe says; a DEQUANTIZE restores them',
    },
    dynamic: {
      name: 'Dynamic',
      what: 'int8 and int4 for the kernels that compute with them',
    },
    static: {
      name: 'Static',
      what: 'full integer: weights and activations in int8 or int16, by ranges from samples',
    },
    float: {
      name: 'Float',
      what: 'float schemes only; other weights keep their type',
    },
  },
};

/** What is said of mode static before a model is calibrated. */
export const NEEDS_SAMPLES = 'Static needs samples: calibrate the model first.';

/** What is said of codes before there are samples to choose them on. */
export const NEEDS_CODES = 'GPTQ chooses codes on samples. Until then they are rounded to nearest.';

/** What is said of weights before the model is calibrated with equalized ones. */
export const NEEDS_EQUALIZING =
  'Weights are equalized when the model is calibrated. Until then they stay as they are.';

/** The words for a mode of a format. */
export function modeWords(format: string, mode: ExportMode): ModeWords {
  return otherWords[format]?.[mode] ?? onnxWords[mode];
}

/**
 * Why an export is left out where a part of its rounding is measured alone.
 * @param mode null for a file
 */
export function leftOutWords(
  format: string,
  mode: ExportMode | null,
  part: LayerPart | null,
): string {
  const what = mode === null ? 'the file' : `mode ${modeWords(format, mode).name}`;
  return `Left out: ${what} has no ${part ?? 'part'} that can be measured alone.`;
}

/** What loads a file that a mode writes, in a sentence. */
export function loadedBy(format: string, preview: ExportPreview): string {
  const { mode, opset, usesMicrosoft } = preview;
  if (opset !== null) return onnxRuntime(opset, mode, usesMicrosoft);
  if (format === 'litert') return 'LiteRT and TensorFlow Lite load it.';
  if (mode === 'qdq') return 'It needs a loader that restores weights from codes and scales.';
  return 'What loads the original loads it.';
}

/** Why a mode changes nothing in this model: the reason of most of the tensors, or operators, that it keeps; null where it changes some. */
export function whyIdle({ quantized, kept, outline }: ExportPreview): string | null {
  if (quantized > 0 || (outline?.integerOperators ?? 0) > 0) return null;
  const asked = kept.filter(({ reason }) => !/^a (bias|normalization|constant)/.test(reason));
  const [first] = [...asked, ...kept, ...(outline?.float ?? [])];
  return `Changes nothing here: ${escaped(first?.reason ?? 'the model has no weights')}.`;
}

/** The mode of a checkpoint at first: where all recipes are of a float type, the cast that model.to() makes. */
export function defaultMode(
  modes: readonly ExportMode[],
  ...recipes: readonly Recipe[]
): ExportMode | undefined {
  const areCasts = recipes.every((recipe) =>
    ['float16', 'bfloat16'].includes(recipe.default?.dtype ?? ''),
  );
  return (areCasts ? modes.find((mode) => mode === 'cast') : undefined) ?? modes[0];
}
