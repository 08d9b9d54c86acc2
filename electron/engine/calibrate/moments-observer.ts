import { Positions, type Summed } from './positions.ts';

/** Products of two inputs that are added up for one sample at most, so that a large picture takes no minutes. */
const SAMPLE_PRODUCTS = 1 << 28;

/** Positions whose products are added up at a time. */
const PANEL = 32;

/**
 * Adds up the products of the inputs of each two columns of a weight: X^T X of each group, where X has a row for each
 * position of each sample. Positions of a sample beyond SAMPLE_PRODUCTS are left out evenly, and those with NaN or infinity.
 */
export class MomentsObserver {
  private readonly summed: Summed;
  private readonly sums: Float64Array;
  /** By column, then by position. */
  private readonly panel: Float64Array;
  private readonly row: Float64Array;
  private filled = 0;
  private count = 0;
  private isUneven = false;

  constructor(summed: Summed) {
    const { columns, groups } = summed;
    this.summed = summed;
    this.sums = new Float64Array(groups * columns * columns);
    this.panel = new Float64Array(groups * columns * PANEL);
    this.row = new Float64Array(groups * columns);
  }

  /** Take the value of one sample. */
  add(values: ArrayLike<number>, dims: readonly number[]): void {
    const positions = Positions.of(dims, this.summed);
    if (positions === null) this.isUneven = true;
    if (positions === null || this.isUneven) return;
    const most = Math.max(1, Math.floor(SAMPLE_PRODUCTS / this.sums.length));
    const taken = Math.min(positions.count, most);
    for (let at = 0; at < taken; at++) {
      positions.read(values, Math.floor((at * positions.count) / taken), this.row);
      this.addRow();
    }
    this.flush();
  }

  /** The mean of the products, group by group, row-major; null where no position was observed, or values of another shape. */
  result(): Float32Array | null {
    const { count, sums } = this;
    const { columns, groups } = this.summed;
    if (count === 0 || this.isUneven) return null;
    const means = new Float32Array(sums.length);
    for (let group = 0; group < groups; group++) {
      const own = group * columns * columns;
      for (let i = 0; i < columns; i++)
        for (let j = i; j < columns; j++) {
          const mean = sums[own + i * columns + j]! / count;
          means[own + i * columns + j] = mean;
          means[own + j * columns + i] = mean;
        }
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
    const { columns, groups } = this.summed;
    if (this.filled === 0) return;
    for (let group = 0; group < groups; group++) this.addProducts(group * columns);
    this.count += this.filled;
    this.filled = 0;
  }

  /** Add the products of the columns of one group, the first of which is given. */
  private addProducts(first: number): void {
    const { panel, sums, filled } = this;
    const { columns } = this.summed;
    for (let i = 0; i < columns; i++) {
      const a = (first + i) * PANEL;
      const own = (first + i) * columns;
      for (let j = i; j < columns; j++) {
        const b = (first + j) * PANEL;
        let [even, odd] = [0, 0];
        let at = 0;
        for (; at + 1 < filled; at += 2) {
          even += panel[a + at]! * panel[b + at]!;
          odd += panel[a + at + 1]! * panel[b + at + 1]!;
        }
        if (at < filled) even += panel[a + at]! * panel[b + at]!;
        sums[own + j] = sums[own + j]! + (even + odd);
      }
    }
  }
}
