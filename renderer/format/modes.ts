import type { ExportMode } from '../../shared/protocol.ts';

/** What a mode is called, and what it is, in a line. */
export interface ModeWords {
  readonly name: string;
  readonly what: string;
}

const onnxWords: Readonly<Record<ExportMode, ModeWords>> = {
  qdq: { name: 'QDQ', what: 'weights as the recipe says, float arithmetic; runs anywhere' },
  dynamic: { name: 'Dynamic', what: 'MatMul, Gemm, Conv and LSTM on integers; CPU' },
  float: { name: 'Float', what: 'float types only; integer schemes stay as they are' },
  float16: { name: 'Float16', what: 'computes in float16 too, float32 inputs and outputs; GPU' },
  cast: { name: 'Cast', what: 'every float in the type of the recipe; biases and norms too' },
  nbits: { name: 'NBits', what: 'MatMul on 4 or 8 bits in blocks; onnxruntime' },
};

/** Where a mode is not what it is in ONNX. */
const otherWords: Partial<Record<string, Partial<Record<ExportMode, ModeWords>>>> = {
  safetensors: {
    qdq: {
      name: 'Codes',
      what: 'codes, scales and zero points as tensors, with a description',
    },
    float: { name: 'Float', what: 'float types only; loads as its source does' },
  },
  litert: {
    qdq: {
      name: 'Weights',
      what: 'stored as the recipe says; a DEQUANTIZE restores them',
    },
    dynamic: {
      name: 'Dynamic',
      what: 'int8 and int4 for the kernels that take them',
    },
    float: {
      name: 'Float',
      what: 'float16 or bfloat16 weights; integer schemes stay as they are',
    },
  },
};

/** The words for a mode of a format. */
export function modeWords(format: string, mode: ExportMode): ModeWords {
  return otherWords[format]?.[mode] ?? onnxWords[mode];
}
