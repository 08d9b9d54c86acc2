import * as path from 'node:path';
import type { PreparationCheck } from '../../../shared/preparation.ts';
import type { WantedSamples } from '../calibrate/data/samples-for.ts';
import { openModel } from '../formats/registry.ts';
import { isUnpassable, loadSession, type SessionOptions } from './onnx-session.ts';
import type { RunProgress } from './run-progress.ts';
import { preparing } from './run-progress.ts';

export interface PrepareRequest {
  /** The source. */
  readonly model: string;
  /** The copy that is written; large weights go to a file beside it. */
  readonly out: string;
  /** From how many bytes of the source on its weights go to the side file; 1 GiB where it is missing. */
  readonly inlineBytes?: number;
  /** What the source and its copy are compared on; they are not compared where it is missing. */
  readonly check?: WantedSamples;
}

export interface WrittenModel {
  readonly out: string;
  readonly check?: PreparationCheck;
}

/**
 * A source from this size on is written with its weights in a side file: protobuf ends at 2 GiB, and
 * folding constants can make a model larger. Not always, as onnxruntime 1.30 then writes the weights of
 * subgraphs twice: in the side file and in the model.
 */
const MAX_INLINE_BYTES = 2 ** 30;
/** Smaller initializers stay in the model: shapes, scales and axes are read while it is opened. */
const MIN_EXTERNAL_BYTES = 1024;

/**
 * Write a copy of an ONNX model as onnxruntime simplifies it before it runs it: constants are folded, and
 * Conv+BatchNormalization, Conv+Mul, Conv+Add and MatMul+Add are fused (graph optimization level "basic",
 * onnxruntime 1.30). Results equal the source's up to float rounding. The copy differs otherwise too:
 * functions are inlined, and opsets of domains that the model does not use are imported.
 * @throws AppError RUNTIME with the runtime's own words when it rejects the model, or as checkPrepared
 */
export async function prepareModel(
  request: PrepareRequest,
  onProgress: (progress: RunProgress) => void,
): Promise<WrittenModel> {
  onProgress(preparing('Folding constants'));
  await writeAtBasic(request);
  const { model, out, check: wanted } = request;
  if (wanted === undefined) return { out };
  // Loaded when it is needed: other users of this module make no samples.
  const { checkPrepared } = await import('./prepared-check.ts');
  return { out, check: await checkPrepared({ model, copy: out, wanted, onProgress }) };
}

/** Load a model only for the file that onnxruntime writes of it. */
async function writeAtBasic({ model, out, inlineBytes }: PrepareRequest): Promise<void> {
  try {
    const session = await loadSession(model, {
      graphOptimizationLevel: 'basic',
      ...writtenTo(out, model, inlineBytes),
    });
    await session.release();
  } catch (error) {
    if (!isUnpassable(error)) throw error;
  }
}

/** Session options that write the optimized graph of a model. */
export function writtenTo(
  out: string,
  model: string,
  inlineBytes = MAX_INLINE_BYTES,
): SessionOptions {
  const sizes = fileSizesOf(model);
  // Of a source with side files onnxruntime copies the names of those, which are none beside the copy.
  const isInline = sizes.length === 1 && sizes[0]! < inlineBytes;
  return {
    optimizedModelFilePath: out,
    ...(isInline ? {} : { config: sideFileOf(out) }),
  };
}

function fileSizesOf(model: string): readonly number[] {
  const opened = openModel(model);
  opened.close();
  return opened.files.map(({ size }) => size);
}

function sideFileOf(out: string): Record<string, string> {
  return {
    optimized_model_external_initializers_file_name: `${path.basename(out)}.data`,
    optimized_model_external_initializers_min_size_in_bytes: String(MIN_EXTERNAL_BYTES),
  };
}
