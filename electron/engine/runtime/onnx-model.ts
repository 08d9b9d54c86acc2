import * as ort from 'onnxruntime-node';
import { AppError } from '../../../shared/errors.ts';
import { float16Value } from '../../../shared/float16.ts';
import type { ArrayValue, RunHints } from './inputs.ts';
import type { InputFacts } from './dimensions.ts';
import { isUnpassable, loadSession, type SessionOptions } from './onnx-session.ts';

/** One output of a run: numbers (64-bit integers and float16 converted), or strings. */
export interface OutputValue {
  readonly dims: readonly number[];
  readonly data: ArrayLike<number> | readonly string[];
  readonly isText: boolean;
}

/** Outputs of these types end the process in onnxruntime-node 1.30 (napi_create_arraybuffer of a wrong length). */
const CRASHING_OUTPUTS = new Set(['int4', 'uint4']);

/** A model that is loaded in onnxruntime on the CPU. */
export class OnnxModel {
  readonly file: string;
  readonly inputs: readonly InputFacts[];
  /** The tensors among the outputs. */
  readonly outputs: readonly InputFacts[];
  /** Why an output cannot be fetched, by its name. */
  readonly unfetched: ReadonlyMap<string, string>;
  private readonly session: ort.InferenceSession;

  private constructor(file: string, session: ort.InferenceSession) {
    this.file = file;
    this.session = session;
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
    options: SessionOptions = {},
  ): Promise<OnnxModel> {
    try {
      return new OnnxModel(file, await loadSession(file, options));
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

  /** Run once, with all outputs that can be fetched. @throws whatever onnxruntime throws. */
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

  async release(): Promise<void> {
    await this.session.release();
  }
}

function outputValue({ data, dims, type }: ort.OnnxValue): OutputValue {
  if (type === 'string') return { dims, data: data as string[], isText: true };
  return { dims, data: numbersOf(data, type), isText: false };
}

function numbersOf(data: ort.Tensor['data'], type: string): ArrayLike<number> {
  // Where JavaScript has a Float16Array (Node 24, Electron 38), the values come as numbers already.
  if (type === 'float16' && data instanceof Uint16Array)
    return Float64Array.from(data, float16Value);
  if (data instanceof BigInt64Array || data instanceof BigUint64Array)
    return Float64Array.from(data as BigInt64Array, Number);
  return data as Float32Array;
}
