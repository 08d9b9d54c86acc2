import * as ort from 'onnxruntime-node';
import { AppError } from '../../../shared/errors.ts';
import type { Kernels } from '../../../shared/kernels.ts';
import type { InputFacts } from './dimensions.ts';
import type { ArrayValue, RunHints } from './inputs.ts';
import { isUnpassable, loadSession, SHORT_WAITS, type SessionOptions } from './onnx-session.ts';
import { readKernels } from './optimize.ts';
import { writtenTo } from './prepare.ts';
import { numbersOf, type LoadOptions, type OutputValue, type RunnableModel } from './runnable.ts';
import { FLOAT32_MATMUL, roundsInputs } from './weights-only.ts';

/** Outputs of these types end the process in onnxruntime-node 1.30 (napi_create_arraybuffer of a wrong length). */
const CRASHING_OUTPUTS = new Set(['int4', 'uint4']);

/** A model that is loaded in onnxruntime on the CPU. */
export class OnnxModel implements RunnableModel {
  readonly file: string;
  readonly runtime = 'onnxruntime';
  readonly inputs: readonly InputFacts[];
  /** The tensors among the outputs. */
  readonly outputs: readonly InputFacts[];
  readonly unfetched: ReadonlyMap<string, string>;
  readonly warnings: readonly string[] = [];
  /** null where its optimized graph was not asked for, or cannot be written or read. */
  readonly kernels: Kernels | null;
  private readonly session: ort.InferenceSession;
  private readonly hints: RunHints;

  private constructor(
    file: string,
    session: ort.InferenceSession,
    hints: RunHints,
    kernels: Kernels | null,
  ) {
    this.file = file;
    this.session = session;
    this.hints = hints;
    this.kernels = kernels;
    this.inputs = session.inputMetadata.map((input) => {
      if (!input.isTensor)
        throw new AppError('UNSUPPORTED', "onnxruntime's Node interface cannot pass the input", {
          file,
          field: input.name,
          found: 'a sequence, map or optional value',
          expected: 'a tensor',
        });
      return { name: input.name, type: input.type, shape: input.shape };
    });
    const unfetched = new Map<string, string>();
    this.outputs = session.outputMetadata.flatMap((output): InputFacts[] => {
      const type = output.isTensor ? output.type : 'a sequence, map or optional value';
      if (output.isTensor && !CRASHING_OUTPUTS.has(type))
        return [{ name: output.name, type, shape: output.shape }];
      unfetched.set(output.name, `is ${type}, which onnxruntime's Node interface cannot return`);
      return [];
    });
    this.unfetched = unfetched;
  }

  /** @throws AppError RUNTIME with the runtime's own words, UNSUPPORTED for an input or output it cannot pass. */
  static async load(
    file: string,
    hints: RunHints,
    { isUnchanged, optimized, isTimed }: LoadOptions = {},
  ): Promise<OnnxModel> {
    const waiting = isTimed === true ? {} : { config: SHORT_WAITS };
    if (optimized === undefined)
      return await OnnxModel.loadWith(
        file,
        hints,
        isUnchanged === true ? { ...waiting, graphOptimizationLevel: 'disabled' } : waiting,
      );
    try {
      const written = writtenTo(optimized, file);
      const options = { ...written, config: { ...waiting.config, ...written.config } };
      return await OnnxModel.loadWith(file, hints, options, () => readKernels(optimized));
    } catch {
      // A full disk must not keep it from running. What else is wrong fails again.
      return await OnnxModel.loadWith(file, hints, waiting);
    }
  }

  private static async loadWith(
    file: string,
    hints: RunHints,
    options: SessionOptions,
    kernels: () => Kernels | null = () => null,
  ): Promise<OnnxModel> {
    try {
      const session = await loadSession(file, options);
      return new OnnxModel(file, session, hints, orNull(kernels));
    } catch (error) {
      const [value] = hints.unpassable;
      if (value !== undefined && isUnpassable(error))
        throw new AppError(
          'UNSUPPORTED',
          `onnxruntime's Node interface cannot pass the ${value.kind}`,
          {
            file,
            field: value.name,
            found: value.type,
            expected: 'float16, float32, float64, bool, string or integers of 8 to 64 bits',
          },
          error,
        );
      throw error;
    }
  }

  async run(feeds: Readonly<Record<string, ArrayValue>>): Promise<Map<string, OutputValue>> {
    const tensors = Object.fromEntries(
      Object.entries(feeds).map(([name, { type, data, dims }]) => [
        name,
        new ort.Tensor(type as 'float32', data as Float32Array, [...dims]),
      ]),
    );
    const found = await this.session.run(
      tensors,
      this.outputs.map(({ name }) => name),
    );
    return new Map(Object.entries(found).map(([name, value]) => [name, outputValue(value)]));
  }

  /** Computes in float32 where onnxruntime would quantize inputs that the export keeps in float. */
  async withoutRounding(): Promise<OnnxModel | null> {
    const { file, hints, kernels } = this;
    if (!roundsInputs(file, kernels, hints)) return null;
    return await OnnxModel.loadWith(file, hints, { config: { ...SHORT_WAITS, ...FLOAT32_MATMUL } });
  }

  async release(): Promise<void> {
    await this.session.release();
  }
}

function orNull<T>(work: () => T): T | null {
  try {
    return work();
  } catch {
    return null;
  }
}

function outputValue({ data, dims, type }: ort.OnnxValue): OutputValue {
  if (type === 'string') return { dims, data: data as string[], isText: true };
  return { dims, data: numbersOf(data as Float32Array, type), isText: false };
}
