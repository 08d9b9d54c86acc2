import type { Kernels } from '../../../shared/kernels.ts';
import { openModel } from '../formats/registry.ts';
import { loadSession } from './onnx-session.ts';
import { writtenTo, type PrepareRequest } from './prepare.ts';
import { preparing, type RunProgress } from './run-progress.ts';

/**
 * Load a model as onnxruntime runs it on this computer, at graph optimization level "all", and read from
 * the graph that it writes to `out` which of its own kernels it runs.
 * @throws AppError RUNTIME with the runtime's own words when it rejects the model
 */
export async function optimizeModel(
  { model, out, inlineBytes }: PrepareRequest,
  onProgress: (progress: RunProgress) => void,
): Promise<Kernels> {
  onProgress(preparing('Reading the optimized graph'));
  const session = await loadSession(model, writtenTo(out, model, inlineBytes));
  await session.release();
  return readKernels(out);
}

/** What a graph that onnxruntime wrote runs on. */
export function readKernels(optimized: string): Kernels {
  const opened = openModel(optimized);
  try {
    return opened.kernels!();
  } finally {
    opened.close();
  }
}
