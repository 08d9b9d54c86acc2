import type { RunHints } from './inputs.ts';
import type { LoadOptions, RunnableModel } from './runnable.ts';

/**
 * Load a model in the runtime that its hints name. A runtime is started only when a model needs it.
 * @throws AppError RUNTIME with the runtime's own words, UNSUPPORTED for an input that it cannot pass.
 */
export async function loadModel(
  file: string,
  hints: RunHints,
  options: LoadOptions = {},
): Promise<RunnableModel> {
  if (hints.runtime === 'LiteRT')
    return (await import('./litert/litert-model.ts')).LitertModel.load(file, hints);
  return (await import('./onnx-model.ts')).OnnxModel.load(file, hints, options);
}
