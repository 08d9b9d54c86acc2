/** What assembly/index.ts exports. Pointers are byte offsets into the memory. */
export interface KernelExports {
  readonly heapBase: () => number;
  readonly setGrouping: (
    kind: number,
    channels: number,
    inner: number,
    block: number,
    firstGroup: number,
    groups: number,
  ) => void;
  readonly decodeBfloat16: (from: number, to: number, count: number) => void;
  readonly decodeFloat16: (from: number, to: number, count: number) => void;
  readonly sumsPointer: () => number;
  readonly resetSums: () => void;
  readonly addSums: (pointer: number, count: number, tiny: number, start: number) => void;
  readonly setRanges: (minima: number, maxima: number) => void;
  readonly addRanges: (pointer: number, count: number, start: number) => void;
  readonly setBins: (cells: number, lo: number, perUnit: number) => void;
  readonly addToHistogram: (pointer: number, count: number, mean: number) => number;
  readonly addFiniteToHistogram: (pointer: number, count: number, mean: number) => number;
  readonly errorSums: () => number;
  readonly resetErrorSums: () => void;
  readonly setCodes: (
    scales: number,
    zeroPoints: number,
    rounding: number,
    qmin: number,
    qmax: number,
  ) => void;
  readonly setFlags: (pointer: number, lowest: number, count: number) => void;
  readonly setOutput: (codes: number, width: number, restored: number) => void;
  readonly encode: (pointer: number, count: number, start: number) => void;
  readonly setCast: (
    exponentBits: number,
    fractionBits: number,
    largest: number,
    overflow: number,
    overflowPattern: number,
    nan: number,
    flags: number,
  ) => void;
  readonly setCastOutput: (codes: number, restored: number) => void;
  readonly cast: (pointer: number, count: number) => void;
  readonly castInPlace: (pointer: number, count: number) => void;
  readonly addDoubleSums: (pointer: number, count: number, tiny: number, start: number) => void;
  readonly setDoubleRanges: (minima: number, maxima: number) => void;
  readonly addDoubleRanges: (pointer: number, count: number, start: number) => void;
  readonly setDoubleBins: (cells: number, lo: number, perUnit: number) => void;
  readonly addDoublesToHistogram: (pointer: number, count: number, mean: number) => number;
  readonly demote: (from: number, to: number, count: number) => void;
  readonly demoteToOdd: (from: number, to: number, count: number) => void;
  readonly doubleErrorSums: () => number;
  readonly resetDoubleErrorSums: () => void;
  readonly addDoubleErrors: (values: number, restored: number, count: number) => void;
  readonly packNibbles: (from: number, to: number, count: number) => void;
  readonly setKeys: (magnitudes: number) => void;
  readonly countKeys: (
    pointer: number,
    count: number,
    start: number,
    table: number,
    prefix: number,
  ) => void;
  readonly setGathering: (keys: number, counts: number, room: number) => void;
  readonly gather: (pointer: number, count: number, start: number) => void;
  readonly selectRank: (group: number, rank: number, scratch: number) => number;
  readonly setCandidates: (
    candidates: number,
    groups: number,
    scales: number,
    zeroPoints: number,
    errors: number,
    rounding: number,
    qmin: number,
    qmax: number,
  ) => void;
  readonly addErrors: (pointer: number, count: number, start: number) => void;
  readonly addSigned: (
    pointer: number,
    count: number,
    start: number,
    limits: number,
    tables: number,
    bins: number,
  ) => void;
  readonly observedSums: () => number;
  readonly resetObserved: () => void;
  readonly addObserved: (pointer: number, count: number) => void;
  readonly setEdges: (cells: number, edges: number, bins: number, limit: number) => void;
  readonly countObserved: (pointer: number, count: number) => void;
  readonly foldCounts: (counts: number) => void;
  readonly addProducts: (panel: number, sums: number, columns: number, groups: number) => void;
  readonly countBytes: (pointer: number, count: number, table: number) => void;
  readonly largestDifference: (values: number, restored: number, count: number) => number;
  readonly countDifferences: (
    values: number,
    restored: number,
    count: number,
    table: number,
    lo: number,
    perUnit: number,
  ) => void;
  readonly addGroupErrors: (
    values: number,
    restored: number,
    count: number,
    start: number,
    signals: number,
    noises: number,
  ) => void;
}

const PAGE = 65536;

/** Values that the kernels take at a time: a quarter of a core's second-level cache. */
export const BLOCK_VALUES = 32768;

/**
 * Bytes of a tensor that are held at a time, at most. A tensor of no more is read once for all of
 * its passes; a larger one is read again for each.
 */
export const WINDOW_BYTES = 32 << 20;

/** What the windows of all workers may take together, of that the share of the memory limit, and the least of one. */
const ALL_WINDOWS = 128 << 20;
const WINDOWS_SHARE = 1 / 8;
const LEAST_WINDOW = 4 << 20;

/**
 * The window of each of so many workers: what bounds the engine's memory on many cores too.
 * @param limit bytes that Quantscope may take
 */
export function windowBytesFor(workers: number, limit = Infinity): number {
  const all = Math.min(ALL_WINDOWS, limit * WINDOWS_SHARE);
  const share = Math.floor(all / workers / PAGE) * PAGE;
  return Math.max(LEAST_WINDOW, Math.min(WINDOW_BYTES, share));
}

/** The part of the WebAssembly API that is used; Node's types leave it to the browser's. */
interface WasmMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}
interface WasmApi {
  readonly Memory: new (limits: { initial: number }) => WasmMemory;
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (
    module: object,
    imports: { env: { memory: WasmMemory } },
  ) => { readonly exports: unknown };
}
const wasm = (globalThis as unknown as { readonly WebAssembly: WasmApi }).WebAssembly;

function aligned(pointer: number): number {
  return (pointer + 63) & ~63;
}

/**
 * The SIMD kernels with a memory of their own: buffers for one block, the window that files are
 * read into, and room for what a pass needs, which is given anew to each pass. For one thread.
 */
export class Kernels {
  readonly exports: KernelExports;
  /** A block decoded to float32, its codes, and what they stand for. */
  readonly decoded: number;
  readonly codes: number;
  readonly restored: number;
  readonly window: number;
  readonly windowBytes: number;
  private readonly memory: WasmMemory;
  private readonly base: number;
  private top: number;

  private constructor(exports: KernelExports, memory: WasmMemory, windowBytes: number) {
    this.exports = exports;
    this.memory = memory;
    this.decoded = aligned(exports.heapBase());
    this.codes = this.decoded + BLOCK_VALUES * 4;
    this.restored = this.codes + BLOCK_VALUES * 4;
    this.window = this.restored + BLOCK_VALUES * 4;
    this.windowBytes = windowBytes;
    this.base = aligned(this.window + windowBytes);
    this.top = this.base;
    this.growTo(this.base);
  }

  /**
   * Kernels from the bytes of kernels.wasm. Pages of the window are taken from the system only
   * when a tensor fills them.
   */
  static instantiate(bytes: Uint8Array, windowBytes: number = WINDOW_BYTES): Kernels {
    const memory = new wasm.Memory({ initial: 16 });
    const { exports } = new wasm.Instance(new wasm.Module(bytes), { env: { memory } });
    return new Kernels(exports as KernelExports, memory, windowBytes);
  }

  /** Gives back all that was allocated. */
  reset(): void {
    this.top = this.base;
  }

  /** Zeroed bytes that stay until the next reset, at a multiple of 64. Views made before may be dead. */
  allocate(bytes: number): number {
    const pointer = this.top;
    this.top = aligned(pointer + bytes);
    this.growTo(this.top);
    this.bytes(pointer, bytes).fill(0);
    return pointer;
  }

  private growTo(end: number): void {
    const missing = Math.ceil((end - this.memory.buffer.byteLength) / PAGE);
    if (missing > 0) this.memory.grow(missing);
  }

  // A view is good until the next allocation, which may move the memory.

  bytes(pointer: number, length: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.memory.buffer, pointer, length);
  }

  int32(pointer: number, length: number): Int32Array {
    return new Int32Array(this.memory.buffer, pointer, length);
  }

  uint32(pointer: number, length: number): Uint32Array {
    return new Uint32Array(this.memory.buffer, pointer, length);
  }

  float32(pointer: number, length: number): Float32Array {
    return new Float32Array(this.memory.buffer, pointer, length);
  }

  float64(pointer: number, length: number): Float64Array {
    return new Float64Array(this.memory.buffer, pointer, length);
  }
}
