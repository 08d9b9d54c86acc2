import type { Equalization } from './equalization.ts';
import type { StaticOutline } from './activations.ts';
import type { Preparation } from './preparation.ts';
import type { BestRange } from './ranges.ts';
import type { Recipe } from './recipe.ts';
import type { KeptGroup } from './report.ts';

/**
 * qdq: weights only, float arithmetic. dynamic: MatMul, Gemm and Conv on integers, their inputs
 * quantized as they run. static: the same with ranges of activations that calibration found, so that
 * operators hand on codes. float: float types only. float16: the graph computes in float16, between
 * float32 inputs and outputs. nbits: MatMul and Gemm on weights of 4 or 8 bits in blocks. cast: every float
 * tensor in the recipe's float type, biases and norms too, as a checkpoint's model.to(dtype) makes it.
 */
export const EXPORT_MODES = [
  'qdq',
  'dynamic',
  'static',
  'float',
  'float16',
  'nbits',
  'cast',
] as const;
export type ExportMode = (typeof EXPORT_MODES)[number];

/** Whether an export under a recipe is of a prepared copy, in a format that has one. */
export function isPrepared({ prepare }: Pick<Recipe, 'prepare'>, mode: ExportMode): boolean {
  return mode === 'static' || prepare === true;
}

/** What an export would write, known before it is written. */
export interface ExportPreview {
  readonly mode: ExportMode;
  readonly bytesBefore: number;
  /** To the byte, as the export writes it. */
  readonly bytesAfter: number;
  readonly quantized: number;
  /** Tensors that stay as they are, grouped by reason, largest first. */
  readonly kept: readonly KeptGroup[];
  /** ONNX: the version of ai.onnx that the file has; null for other formats. */
  readonly opset: number | null;
  /** ONNX: whether the file has operators of com.microsoft, which only onnxruntime has. */
  readonly usesMicrosoft: boolean;
  /** ONNX: bytes that `dropMetadata` of the recipe saves: what exporters note of nodes, values and tensors. */
  readonly exporterMetadata?: number;
  /** What preparing the model changes; absent where it is not prepared. */
  readonly preparation?: Preparation;
  /** Mode static: what is quantized between operators, and what stays in float. */
  readonly outline?: StaticOutline;
  /** Mode static of LiteRT. */
  readonly arena?: ArenaSizes;
}

export interface ExportResult {
  readonly out: string;
  readonly mode: ExportMode;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  readonly quantized: number;
  readonly kept: number;
  /** Why float tensors were kept, largest first. */
  readonly keptByReason: readonly KeptGroup[];
  /** What preparing the model changed; absent where it was not prepared. */
  readonly preparation?: Preparation;
  /** Weights whose codes the recipe wants chosen on samples and that have the nearest ones: why, largest first. */
  readonly nearest?: readonly KeptGroup[];
  /** Mode static: values between operators that are quantized, and those that stay in float. */
  readonly activations?: { readonly quantized: number; readonly kept: number };
  /** Mode static: the range method of activations, where the recipe has it chosen by the model's outputs. */
  readonly bestRange?: BestRange;
  /** Mode static: what became of the recipe's wish for equalized weights. */
  readonly equalization?: Equalization;
  /** Modes that run operators on codes (dynamic, static, nbits): how many do. */
  readonly integerOperators?: number;
  /** Mode float16: the operators that compute in float32; mode static: those that stay in float. */
  readonly operators?: readonly KeptOperator[];
  /** Mode static of LiteRT. */
  readonly arena?: ArenaSizes;
  readonly seconds: number;
}

/** Bytes of memory that the values between operators take while a model runs. */
export interface ArenaSizes {
  readonly before: number;
  readonly after: number;
}

/** An operator whose arithmetic a mode would change and that stays as it is. */
export interface KeptOperator {
  readonly name: string;
  readonly op: string;
  readonly reason: string;
}
