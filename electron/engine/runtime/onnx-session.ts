import * as ort from 'onnxruntime-node';
import { AppError } from '../../../shared/errors.ts';

/** How a model is loaded. `config` holds onnxruntime's session config entries, without "session." in front. */
export interface SessionOptions {
  readonly graphOptimizationLevel?: 'disabled' | 'basic' | 'all';
  readonly optimizedModelFilePath?: string;
  readonly config?: Readonly<Record<string, string>>;
}

/**
 * The threads of a session spin for so long where they wait for work inside a run, and then sleep. They spin without end
 * by default, which takes a quarter of the processor's time of a measurement of all layers and makes it no faster.
 */
export const SHORT_WAITS: Readonly<Record<string, string>> = {
  'intra_op.spin_duration_us': '50',
};

/**
 * Load a model on the CPU.
 * @throws AppError RUNTIME with the runtime's own words
 */
export async function loadSession(
  file: string,
  { config, ...options }: SessionOptions = {},
): Promise<ort.InferenceSession> {
  try {
    return await ort.InferenceSession.create(file, {
      logSeverityLevel: 3,
      executionProviders: ['cpu'],
      ...options,
      // Two models are run in turns: the idle one's threads must not take the other's time.
      extra: { session: { force_spinning_stop: '1', ...config } },
    });
  } catch (error) {
    throw new AppError(
      'RUNTIME',
      'onnxruntime does not load it',
      { file, found: firstLine(error), expected: 'a model that loads' },
      error,
    );
  }
}

/**
 * Whether a model failed to load only because onnxruntime's Node interface has no name for the type of an
 * input or output. onnxruntime has loaded, optimized and written it by then.
 */
export function isUnpassable(error: unknown): boolean {
  return (
    error instanceof AppError &&
    error.details.found !== undefined &&
    error.details.found.includes('Unsupported data type')
  );
}

/** The first line of what the runtime says. */
export function firstLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.split('\n')[0] ?? text;
}
