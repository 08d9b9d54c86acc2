import { restoredValue, unclippedCode } from '../../../../shared/affine.ts';
import { codesOf, packedBytes, type DtypeName } from '../../../../shared/dtypes.ts';
import { AppError } from '../../../../shared/errors.ts';
import { ARRAY_OF } from '../../calibrate/data/array-data.ts';
import { distinct } from '../../formats/litert/read/signature.ts';
import type { InputFacts } from '../dimensions.ts';
import type { ArrayData, ArrayValue, RunHints } from '../inputs.ts';
import { numbersOf, type OutputValue, type RunnableModel } from '../runnable.ts';
import { loadBytes } from './heap.ts';
import {
  elementsOf,
  LitertRuntime,
  type CompiledModel,
  type RankedType,
  type TensorBuffer,
  type WasmModel,
} from './wasm.ts';

/** Names of LiteRT's element types that have a typed array here (litert_model_types.h). */
const DTYPES: Readonly<Record<number, DtypeName>> = {
  1: 'float32',
  2: 'int32',
  3: 'uint8',
  4: 'int64',
  6: 'bool',
  7: 'int16',
  9: 'int8',
  10: 'float16',
  11: 'float64',
  13: 'uint64',
  16: 'uint32',
  17: 'uint16',
};
/** What others are called in messages. */
const OTHERS: Readonly<Record<number, string>> = {
  5: 'string',
  8: 'complex64',
  12: 'complex128',
  14: 'a resource',
  15: 'a variant',
  18: 'int4',
  19: 'bfloat16',
};

/** Types of codes that inputs may have. */
const CODE_ARRAYS = { int8: Int8Array, uint8: Uint8Array, int16: Int16Array } as const;

function isCodeType(type: string): type is keyof typeof CODE_ARRAYS {
  return Object.hasOwn(CODE_ARRAYS, type);
}

/** The signature that is run. A model without signatures has one here, of its tensors' names. */
const SIGNATURE = 0;

/** One for all models of this process: they share its heap. */
let runtime: Promise<LitertRuntime> | undefined;

interface Parts {
  readonly file: string;
  readonly hints: RunHints;
  readonly litert: LitertRuntime;
  readonly model: WasmModel;
  readonly compiled: CompiledModel;
  readonly free: () => void;
}

/** A model that is loaded in LiteRT's WebAssembly build: XNNPACK and the built-in kernels, on one thread. */
export class LitertModel implements RunnableModel {
  readonly file: string;
  readonly runtime = 'LiteRT';
  readonly inputs: readonly InputFacts[];
  readonly outputs: readonly InputFacts[];
  readonly unfetched: ReadonlyMap<string, string>;
  readonly warnings: readonly string[];
  readonly kernels = null;
  private readonly parts: Parts;
  /** Of all outputs, in the order of a run. */
  private readonly outputNames: readonly string[];

  private constructor(parts: Parts) {
    const { file, model, hints } = parts;
    this.file = file;
    this.parts = parts;
    const signature = model.getSignature(SIGNATURE);
    const key = signature.key();
    this.inputs = distinct(elementsOf(signature.inputNames())).map((name, index) => {
      const { type, dtype, shape } = factsOf(model.getInputTensorType(SIGNATURE, index));
      if (dtype === null) throw cannotPass(file, name, type);
      // LiteRT takes a free size as 1, as its Interpreter does until a caller resizes the input.
      return { name, type, shape: shape.map((size) => (size < 0 ? 1 : size)) };
    });
    this.outputNames = distinct(elementsOf(signature.outputNames()));
    signature.delete();
    const unfetched = new Map<string, string>();
    this.outputs = this.outputNames.flatMap((name, index): InputFacts[] => {
      const { type, dtype, shape } = factsOf(model.getOutputTensorType(SIGNATURE, index));
      if (dtype !== null)
        return [
          {
            ...{ name, type, shape: shape.map((size) => (size < 0 ? '' : size)) },
            isCode: hints.quantized?.outputs[name] !== undefined,
          },
        ];
      unfetched.set(name, `is ${type}, which LiteRT's WebAssembly build cannot return`);
      return [];
    });
    this.unfetched = unfetched;
    assertWritten(file, hints);
    const count = model.getNumSignatures();
    this.warnings =
      count > 1 ? [`the model has ${count} signatures; only the first, ${key}, is run`] : [];
  }

  /**
   * @throws AppError RUNTIME with LiteRT's own words, UNSUPPORTED for an input that it cannot pass, LIMIT for a
   *   file that does not fit into the memory of WebAssembly
   * @param folder where LiteRT is: the build puts it beside the bundled runtime process
   */
  static async load(file: string, hints: RunHints, folder = __dirname): Promise<LitertModel> {
    const litert = await (runtime ??= LitertRuntime.load(folder));
    const { environment, wasm } = litert;
    const { at, bytes } = loadBytes(wasm, file);
    try {
      return await litert.step(async () => {
        const model = wasm.loadModel(environment, at, bytes);
        const compiled = await wasm.compileModel(environment, model, { accelerator: 'wasm' });
        return new LitertModel({
          file,
          hints,
          litert,
          model,
          compiled,
          free: () => wasm._free(at),
        });
      });
    } catch (error) {
      wasm._free(at);
      if (error instanceof AppError) throw error;
      throw new AppError(
        'RUNTIME',
        'LiteRT does not load it',
        { file, found: messageOf(error), expected: 'a model that loads' },
        error,
      );
    }
  }

  async run(feeds: Readonly<Record<string, ArrayValue>>): Promise<Map<string, OutputValue>> {
    const { litert, compiled } = this.parts;
    const inputs: TensorBuffer[] = [];
    try {
      for (const [index, { name }] of this.inputs.entries())
        inputs.push(this.bufferOf(index, name, feeds[name]));
      const outputs = await litert.step(() => compiled.run(SIGNATURE, inputs));
      return this.valuesOf(outputs, this.isGivenFloat(feeds));
    } catch (error) {
      throw this.explained(error);
    } finally {
      for (const buffer of inputs) buffer.delete();
    }
  }

  release(): Promise<void> {
    const { compiled, model, free } = this.parts;
    compiled.delete();
    model.delete();
    free();
    return Promise.resolve();
  }

  /** Whether inputs that are codes are given as the numbers that these stand for. Then so are outputs. */
  private isGivenFloat(feeds: Readonly<Record<string, ArrayValue>>): boolean {
    return this.inputs.some(
      ({ name, type }) => type !== 'float32' && feeds[name]?.type === 'float32',
    );
  }

  /** An array in the input's type: codes where it has the numbers that they stand for. */
  private inType({ name, type }: InputFacts, value: ArrayValue): ArrayValue {
    const { scale, zeroPoint } = this.parts.hints.quantized?.inputs[name] ?? {};
    if (value.type !== 'float32' || !isCodeType(type) || scale === undefined) return value;
    const { qmin, qmax } = codesOf(type);
    const codes = Array.from(value.data as Float32Array, (number) =>
      Math.min(qmax, Math.max(qmin, unclippedCode(number, scale, zeroPoint!, 'even'))),
    );
    return { type, dims: value.dims, data: new CODE_ARRAYS[type](codes) };
  }

  /** An input in LiteRT's memory. @throws AppError RUNTIME where an array does not have the input's shape and type */
  private bufferOf(index: number, name: string, given: ArrayValue | undefined): TensorBuffer {
    const { model, litert } = this.parts;
    const { wasm, environment } = litert;
    const { shape, type } = this.inputs[index]!;
    const value = given === undefined ? undefined : this.inType(this.inputs[index]!, given);
    if (value === undefined || value.dims.join() !== shape.join() || value.type !== type)
      throw new AppError('RUNTIME', 'LiteRT does not take the input', {
        file: this.file,
        field: name,
        found: value === undefined ? 'nothing' : `${value.type} of shape ${value.dims.join(' x ')}`,
        expected: `${type} of shape ${shape.join(' x ')}`,
      });
    const dims = new wasm.VectorInt32();
    for (const size of value.dims) dims.push_back(size);
    const layout = wasm.LiteRtLayout.create(dims);
    const stored = model.getInputTensorType(SIGNATURE, index);
    const ranked = wasm.LiteRtRankedTensorType.create(stored.elementType(), layout);
    const data = value.data as Exclude<ArrayData, readonly string[]>;
    try {
      const buffer = wasm.LiteRtTensorBuffer.createManaged(
        environment,
        wasm.LiteRtTensorBufferType.HOST_MEMORY,
        ranked,
        packedBytes(type as DtypeName, data.length),
      );
      const at = buffer.lock(wasm.LiteRtTensorBufferLockMode.WRITE);
      wasm.HEAPU8.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
      buffer.unlock();
      return buffer;
    } finally {
      for (const each of [dims, layout, stored, ranked]) each.delete();
    }
  }

  /** Outputs copied out of LiteRT's memory; the buffers are deleted. */
  private valuesOf(
    buffers: readonly TensorBuffer[],
    isRestored: boolean,
  ): Map<string, OutputValue> {
    const { HEAPU8, LiteRtTensorBufferLockMode: modes } = this.parts.litert.wasm;
    const values = new Map<string, OutputValue>();
    for (const [index, buffer] of buffers.entries()) {
      const { type, dtype, shape } = factsOf(buffer.tensorType());
      const Array = dtype === null ? undefined : ARRAY_OF[dtype];
      if (Array !== undefined) {
        const at = buffer.lock(modes.READ);
        const data = new Array(HEAPU8.slice(at, at + buffer.packedSize()).buffer);
        buffer.unlock();
        const own = numbersOf(data as Float32Array, type);
        const numbers = isRestored ? this.restored(index, own) : own;
        // Of outputs that are one tensor LiteRT 2.5 writes the last alone.
        for (const name of this.sharing(this.outputNames[index]!))
          values.set(name, { dims: shape, data: numbers, isText: false });
      }
      buffer.delete();
    }
    return values;
  }

  /** What the codes of an output stand for. */
  private restored(index: number, codes: OutputValue['data']): OutputValue['data'] {
    const border = this.parts.hints.quantized?.outputs[this.outputNames[index]!];
    if (border === undefined) return codes;
    const { scale, zeroPoint } = border;
    return Float32Array.from(codes as ArrayLike<number>, (code) =>
      restoredValue(code, scale, zeroPoint),
    );
  }

  /** An output and those of the same tensor. */
  private sharing(name: string): readonly string[] {
    return this.parts.hints.sharedOutputs?.find((group) => group.includes(name)) ?? [name];
  }

  /** What LiteRT's words mean, where it is known. */
  private explained(error: unknown): unknown {
    const text = messageOf(error);
    const custom = /unresolved custom op: (.*?)\.?$/.exec(text)?.[1];
    if (custom !== undefined)
      return new AppError('UNSUPPORTED', 'LiteRT does not have the custom operator', {
        file: this.file,
        field: 'operator',
        found: custom,
        expected: 'operators that LiteRT defines',
      });
    if (text.startsWith('Custom allocation is too small'))
      return new AppError(
        'UNSUPPORTED',
        "LiteRT's WebAssembly build cannot return an output whose size depends on the input's values",
        { file: this.file, found: text, expected: 'outputs of a known size' },
      );
    return error;
  }
}

/** A tensor's type, which is deleted: `dtype` is null where no typed array has its values; free sizes are -1. */
function factsOf(ranked: RankedType): { type: string; dtype: DtypeName | null; shape: number[] } {
  const { value } = ranked.elementType();
  const layout = ranked.layout();
  const shape = elementsOf(layout.dimensions());
  layout.delete();
  ranked.delete();
  const dtype = DTYPES[value] ?? null;
  return { type: dtype ?? OTHERS[value] ?? `type ${value}`, dtype, shape };
}

/**
 * LiteRT 2.5 gives a tensor that is an input and an output the memory of the output, so that the graph never sees
 * the input's values.
 */
function assertWritten(file: string, { passedOn = [] }: RunHints): void {
  if (passedOn.length === 0) return;
  throw new AppError(
    'UNSUPPORTED',
    "LiteRT's WebAssembly build cannot run a model with an output that is an input",
    {
      file,
      field: passedOn[0],
      found: 'a tensor that is an input and an output',
      expected: 'outputs that an operator computes',
    },
  );
}

function cannotPass(file: string, name: string, type: string): AppError {
  return new AppError('UNSUPPORTED', "LiteRT's WebAssembly build cannot pass the input", {
    file,
    field: name,
    found: type,
    expected: Object.values(DTYPES).join(', '),
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
