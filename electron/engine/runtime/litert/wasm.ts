import * as fs from 'node:fs';
import { createRequire } from 'node:module';
import * as path from 'node:path';
import { AppError } from '../../../../shared/errors.ts';

/*
 * LiteRT's own WebAssembly build, as @litertjs/core 2.5.3 ships it: what its classes call underneath. They know
 * float32, int32 and uint8 only, and these bindings every type.
 */

interface Deletable {
  delete(): void;
}

interface Vector<T> extends Deletable {
  size(): number;
  get(index: number): T;
}

/** An element of a C++ enumeration. */
interface EnumElement {
  readonly value: number;
}

interface Layout extends Deletable {
  dimensions(): Vector<number>;
}

export interface RankedType extends Deletable {
  elementType(): EnumElement;
  layout(): Layout;
  /** Bytes of a tensor of this type. @throws where a size is free, or for strings */
  bytes(): number;
}

export interface TensorBuffer extends Deletable {
  /** Where its bytes start in the heap, until it is unlocked. */
  lock(mode: EnumElement): number;
  unlock(): void;
  tensorType(): RankedType;
  packedSize(): number;
}

interface Signature extends Deletable {
  key(): string;
  inputNames(): Vector<string>;
  outputNames(): Vector<string>;
}

export interface WasmModel extends Deletable {
  getNumSignatures(): number;
  getSignature(index: number): Signature;
  getInputTensorType(signature: number, input: number): RankedType;
  getOutputTensorType(signature: number, output: number): RankedType;
}

export interface CompiledModel extends Deletable {
  run(signature: number, inputs: readonly TensorBuffer[]): TensorBuffer[] | Promise<TensorBuffer[]>;
}

type Environment = Deletable;

interface Wasm {
  /** Another view after the heap has grown. */
  readonly HEAPU8: Uint8Array;
  _malloc(bytes: number): number;
  _free(at: number): void;
  readonly LiteRtEnvironment: { create(gpu: null): Environment };
  readonly LiteRtTensorBuffer: {
    createManaged(
      environment: Environment,
      memory: EnumElement,
      type: RankedType,
      bytes: number,
    ): TensorBuffer;
  };
  readonly LiteRtTensorBufferType: { readonly HOST_MEMORY: EnumElement };
  readonly LiteRtTensorBufferLockMode: { readonly READ: EnumElement; readonly WRITE: EnumElement };
  readonly VectorInt32: new () => Vector<number> & { push_back(value: number): void };
  readonly LiteRtLayout: { create(dims: Vector<number>): Layout };
  readonly LiteRtRankedTensorType: { create(type: EnumElement, layout: Layout): RankedType };
  loadModel(environment: Environment, at: number, bytes: number): WasmModel;
  compileModel(
    environment: Environment,
    model: WasmModel,
    options: { readonly accelerator: 'wasm' },
  ): CompiledModel | Promise<CompiledModel>;
}

interface ModuleOptions {
  readonly wasmBinary: Uint8Array;
  readonly print: (line: string) => void;
  readonly printErr: (line: string) => void;
}

/** Lines of the log that are kept for a message. */
const KEPT_LINES = 64;

/** LiteRT in this thread, with what it logs. */
export class LitertRuntime {
  readonly wasm: Wasm;
  readonly environment: Environment;
  private readonly log: string[];

  private constructor(wasm: Wasm, log: string[]) {
    this.wasm = wasm;
    this.log = log;
    this.environment = wasm.LiteRtEnvironment.create(null);
  }

  /** Loads litert.js and litert.wasm from a folder. */
  static async load(folder: string): Promise<LitertRuntime> {
    const script = path.join(folder, 'litert.js');
    const start = createRequire(script)(script) as (options: ModuleOptions) => Promise<Wasm>;
    const log: string[] = [];
    const keep = (line: string): void => {
      log.push(line);
      if (log.length > KEPT_LINES) log.shift();
    };
    const wasmBinary = fs.readFileSync(path.join(folder, 'litert.wasm'));
    return new LitertRuntime(await start({ wasmBinary, print: keep, printErr: keep }), log);
  }

  /**
   * Do one step in LiteRT. It reports most errors in its log alone and returns outputs that hold nothing.
   * @throws Error with what the log or LiteRT itself says
   */
  async step<T>(work: () => T | Promise<T>): Promise<T> {
    this.log.length = 0;
    let result: T;
    try {
      result = await work();
    } catch (error) {
      if (error instanceof AppError) throw error;
      const text = error instanceof Error ? error.message : String(error);
      throw new Error(this.problem() ?? withoutPlace(text), { cause: error });
    }
    const problem = this.problem();
    if (problem !== null) throw new Error(problem);
    return result;
  }

  /** The first error of the log; null for none. */
  private problem(): string | null {
    const line = this.log.find((each) => each.startsWith('ERROR:'));
    return line === undefined ? null : withoutPlace(line);
  }
}

/** "ERROR: [compiled_model.cc:164] Failed to invoke" without its source file. */
function withoutPlace(line: string): string {
  const text = line.replace(/^(?:ERROR: )?(?:\[[^\]]*\] ?)?/, '').trim();
  return text === '' ? line : text;
}

/** The elements of a vector, which is deleted. */
export function elementsOf<T>(vector: Vector<T>): T[] {
  const elements = Array.from({ length: vector.size() }, (_, index) => vector.get(index));
  vector.delete();
  return elements;
}
