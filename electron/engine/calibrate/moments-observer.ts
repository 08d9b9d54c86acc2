import type { Patches } from '../formats/format.ts';
import { Positions } from './positions.ts';

/** Products of two inputs that are added up for one sample at most, so that a large picture takes no minutes. */
const SAMPLE_PRODUCTS = 1 << 28;

/** Positions whose products are added up at a time. */
const PANEL = 32;

/**
 * Adds up the products of the inputs of each two columns of a weight: X^T X, where X has a row for each position of
 * each sample. Positions of a sample beyond SAMPLE_PRODUCTS are left out evenly, and those with NaN or infinity.
 */
export class MomentsObserver {
  readonly columns: number;
  private readonly patches: Patches | null;
  private readonly sums: Float64Array;
  /** By column, then by position. */
  private readonly panel: Float64Array;
  private readonly row: Float64Array;
  private filled = 0;
  private count = 0;
  private isUneven = false;

  constructor(columns: number, patches: Patches | null) {
    this.columns = columns;
    this.patches = patches;
    this.sums = new Float64Array(columns * columns);
    this.panel = new Float64Array(columns * PANEL);
    this.row = new Float64Array(columns);
  }

  /** Take the value of one sample. */
  add(values: ArrayLike<number>, dims: readonly number[]): void {
    const positions = Positions.of(dims, this.columns, this.patches);
    if (positions === null) this.isUneven = true;
    if (positions === null || this.isUneven) return;
    const most = Math.max(1, Math.floor(SAMPLE_PRODUCTS / this.columns ** 2));
    const taken = Math.min(positions.count, most);
    for (let at = 0; at < taken; at++) {
      positions.read(values, Math.floor((at * positions.count) / taken), this.row);
      this.addRow();
    }
    this.flush();
  }

  /** The mean of the products, row-major; null where no position was observed, or values of another shape. */
  result(): Float32Array | null {
    const { columns, count, sums } = this;
    if (count === 0 || this.isUneven) return null;
    const means = new Float32Array(columns * columns);
    for (let i = 0; i < columns; i++)
      for (let j = i; j < columns; j++) {
        const mean = sums[i * columns + j]! / count;
        means[i * columns + j] = mean;
        means[j * columns + i] = mean;
      }
    return means;
  }

  private addRow(): void {
    const { row, panel, filled } = this;
    let sum = 0;
    for (let column = 0; column < row.length; column++) sum += row[column]!;
    if (sum - sum !== 0) return;
    for (let column = 0; column < row.length; column++)
      panel[column * PANEL + filled] = row[column]!;
    this.filled++;
    if (this.filled === PANEL) this.flush();
  }

  private flush(): void {
    const { columns, panel, sums, filled } = this;
    if (filled === 0) return;
    for (let i = 0; i < columns; i++) {
      const a = i * PANEL;
      for (let j = i; j < columns; j++) {
        const b = j * PANEL;
        let [even, odd] = [0, 0];
        let at = 0;
        for (; at + 1 < filled; at += 2) {
          even += panel[a + at]! * panel[b + at]!;
          odd += panel[a + at + 1]! * panel[b + at + 1]!;
        }
        if (at < filled) even += panel[a + at]! * panel[b + at]!;
        sums[i * columns + j] = sums[i * columns + j]! + (even + odd);
      }
    }
    this.count += filled;
    this.filled = 0;
  }
}
