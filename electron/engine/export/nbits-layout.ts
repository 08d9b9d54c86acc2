import type { Numbers } from '../../../shared/lists.ts';
/**
 * com.microsoft.MatMulNBits' way of storing a weight [K, N], or [N, K], in blocks along K: codes as
 * uint8 [N, ceil(K / block), block * bits / 8], unsigned, the first of two 4-bit codes in the low
 * nibble; scales [N, ceil(K / block)]; zero points packed per row of N, each row to whole bytes.
 */
export interface NBitsShape {
  readonly k: number;
  readonly n: number;
  readonly block: number;
  readonly bits: 4 | 8;
  /** Whether the weight is [N, K], as a Gemm with transB takes it, so that it has its columns one after the other. */
  readonly isTransposed: boolean;
}

export function blocksOf({ k, block }: NBitsShape): number {
  return Math.ceil(k / block);
}

/** Bytes of one output column's codes. */
export function columnBytes(shape: NBitsShape): number {
  return (blocksOf(shape) * shape.block * shape.bits) / 8;
}

/** Bytes of one output column's zero points. */
export function zeroPointColumnBytes(shape: NBitsShape): number {
  return Math.ceil((blocksOf(shape) * shape.bits) / 8);
}

/** Turns codes that come row by row of the weight into whole columns, for the columns [from, to). */
export class ColumnCodes {
  readonly bytes: Uint8Array;
  private readonly shape: NBitsShape;
  private readonly from: number;
  private readonly to: number;
  private readonly bias: number;
  private at = 0;

  /** @param bias added to each code, so that signed ones become unsigned: half of the range, or 0. */
  constructor(shape: NBitsShape, from: number, to: number, bias: number) {
    this.shape = shape;
    this.from = from;
    this.to = to;
    this.bias = bias;
    this.bytes = new Uint8Array((to - from) * columnBytes(shape));
    // What pads the last block is multiplied by nothing; onnxruntime's own quantizer leaves the zero point there.
    if (bias > 0) this.bytes.fill(shape.bits === 4 ? 0x88 : 0x80);
  }

  /** Take the packed codes of the next elements. */
  push(packed: Uint8Array): void {
    const { n, k, bits, isTransposed } = this.shape;
    const total = n * k;
    const perByte = 8 / bits;
    const mask = 2 ** bits - 1;
    for (const byte of packed)
      for (let part = 0; part < perByte && this.at < total; part++, this.at++) {
        const place = this.at % (isTransposed ? k : n);
        const line = (this.at - place) / (isTransposed ? k : n);
        const [row, column] = isTransposed ? [place, line] : [line, place];
        if (column < this.from || column >= this.to) continue;
        this.put(row, column, ((byte >> (part * bits)) + this.bias) & mask);
      }
  }

  private put(row: number, column: number, code: number): void {
    const start = (column - this.from) * columnBytes(this.shape);
    if (this.shape.bits === 8) this.bytes[start + row] = code;
    else {
      const index = start + (row >> 1);
      const old = this.bytes[index]!;
      this.bytes[index] = row % 2 === 0 ? (old & 0xf0) | code : (old & 0x0f) | (code << 4);
    }
  }
}

/** Scales of [blocks, N], or of a transposed weight's [N, blocks], as [N, blocks]. */
export function columnScales(shape: NBitsShape, scales: Numbers): Float64Array {
  const blocks = blocksOf(shape);
  return Float64Array.from({ length: blocks * shape.n }, (_, index) => {
    const [column, block] = [Math.floor(index / blocks), index % blocks];
    return scales[groupAt(shape, column, block)]!;
  });
}

/** Where the scale of a block of a column is among those of the weight. */
function groupAt(shape: NBitsShape, column: number, block: number): number {
  return shape.isTransposed ? column * blocksOf(shape) + block : block * shape.n + column;
}

/** Zero points of [blocks, N], or of a transposed weight's [N, blocks], as N rows of packed codes. */
export function columnZeroPoints(shape: NBitsShape, zeroPoints: Numbers, bias: number): Uint8Array {
  const [blocks, width] = [blocksOf(shape), zeroPointColumnBytes(shape)];
  const bytes = new Uint8Array(width * shape.n);
  for (let column = 0; column < shape.n; column++)
    for (let block = 0; block < blocks; block++) {
      const code = zeroPoints[groupAt(shape, column, block)]! + bias;
      const index = column * width + Math.floor((block * shape.bits) / 8);
      bytes[index] = bytes[index]! | (shape.bits === 4 && block % 2 === 1 ? code << 4 : code);
    }
  return bytes;
}
