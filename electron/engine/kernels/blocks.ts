import type { SourceDtype } from '../../../shared/dtypes.ts';
import { decodeValues } from '../quantize/chunks.ts';
import type { ValueSource } from '../quantize/values.ts';
import { BLOCK_VALUES, type Kernels } from './kernels.ts';

/** A tensor's little-endian bytes, wherever they are. */
export interface ByteSource {
  readonly elements: number;
  readonly dtype: SourceDtype;
  /** Fills the target with bytes from `offset` on. Throws to cancel. */
  read(target: Uint8Array, offset: number): void;
  /** Called between blocks; throws to cancel. */
  check?(): void;
}

const WIDTHS: Readonly<Record<SourceDtype, number>> = {
  float64: 8,
  float32: 4,
  float16: 2,
  bfloat16: 2,
};

export function widthOf(dtype: SourceDtype): number {
  return WIDTHS[dtype];
}

/** Takes `count` float32 at `pointer`, the first being element `start`. */
export type VisitBlock = (pointer: number, count: number, start: number) => void;

/** Bytes that are read at a time: half of a core's second-level cache, where blocks find them. */
const PIECE_BYTES = 512 << 10;

/** A tensor read into the kernels' window, which keeps what fits in it from one pass to the next. */
export class BlockReader {
  private readonly kernels: Kernels;
  private readonly source: ByteSource;
  /** Where in the tensor the window begins, and how much of it is read. */
  private start = -1;
  private filled = 0;

  constructor(kernels: Kernels, source: ByteSource) {
    this.kernels = kernels;
    this.source = source;
  }

  /** Visits all values as float32, or float64 where they are stored so, in blocks, first to last. */
  forEachBlock(visit: VisitBlock): void {
    const { elements, dtype } = this.source;
    const width = widthOf(dtype);
    const perWindow = this.kernels.windowBytes / width;
    for (let first = 0; first < elements; first += perWindow) {
      const count = Math.min(perWindow, elements - first);
      this.moveTo(first * width);
      for (let at = 0; at < count; at += BLOCK_VALUES) {
        this.source.check?.();
        const values = Math.min(BLOCK_VALUES, count - at);
        this.fill((at + values) * width, count * width);
        visit(this.decoded(this.kernels.window + at * width, values), values, first + at);
      }
    }
  }

  private moveTo(start: number): void {
    if (this.start === start) return;
    this.start = start;
    this.filled = 0;
  }

  /** Reads on until `wanted` bytes of the window are there, and ahead, but not past its `length`. */
  private fill(wanted: number, length: number): void {
    const { kernels, source } = this;
    while (this.filled < wanted) {
      const piece = Math.min(PIECE_BYTES, length - this.filled);
      source.read(kernels.bytes(kernels.window + this.filled, piece), this.start + this.filled);
      this.filled += piece;
    }
  }

  private decoded(pointer: number, count: number): number {
    const { exports, decoded } = this.kernels;
    switch (this.source.dtype) {
      case 'float16':
        exports.decodeFloat16(pointer, decoded, count);
        return decoded;
      case 'bfloat16':
        exports.decodeBfloat16(pointer, decoded, count);
        return decoded;
      case 'float32':
      case 'float64':
        return pointer;
    }
  }
}

/** The first values of a tensor. */
export function firstValues(source: ByteSource, count: number): number[] {
  const bytes = new Uint8Array(Math.min(count, source.elements) * widthOf(source.dtype));
  if (bytes.length > 0) source.read(bytes, 0);
  return Array.from(decodeValues(bytes, source.dtype));
}

/** The values of a tensor for the plain passes. */
export function valueSource(source: ByteSource): ValueSource {
  const { elements, dtype } = source;
  const width = widthOf(dtype);
  return {
    elements,
    dtype,
    forEachChunk(visit) {
      const buffer = new Uint8Array(Math.min(elements, BLOCK_VALUES) * width);
      for (let start = 0; start < elements; start += BLOCK_VALUES) {
        source.check?.();
        const bytes = buffer.subarray(0, Math.min(BLOCK_VALUES, elements - start) * width);
        source.read(bytes, start * width);
        visit(decodeValues(bytes, dtype), start);
      }
    },
  };
}
