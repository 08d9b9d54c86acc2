import type { Kernels } from '../kernels/kernels.ts';
import { PANEL, Positions, type Summed } from './positions.ts';

/** Products of two inputs that are added up for one sample at most, so that a large picture takes no minutes. */
const SAMPLE_PRODUCTS = 1 << 28;

/** Columns of a group that assembly/moments.ts multiplies at a time: zeros fill up the last. */
const TILE = 4;

/**
 * Adds up the products of the inputs of each two columns of a weight: X^T X of each group, where X has a row for each
 * position of each sample. Positions of a sample beyond SAMPLE_PRODUCTS are left out evenly, and those with NaN or infinity.
 * What it adds up is in the kernels' memory until they are reset.
 */
export class MomentsObserver {
  private readonly kernels: Kernels;
  private readonly summed: Summed;
  /** Columns of a group in the kernels' memory. */
  private readonly width: number;
  private readonly sums: number;
  /** By group and column, then by position. */
  private readonly panel: number;
  private count = 0;
  private isUneven = false;

  constructor(kernels: Kernels, summed: Summed) {
    const { columns, groups } = summed;
    this.kernels = kernels;
    this.summed = summed;
    this.width = widthOf(columns);
    this.sums = kernels.allocate(momentsBytes(summed));
    this.panel = kernels.allocate(groups * this.width * PANEL * Float64Array.BYTES_PER_ELEMENT);
  }

  /** Take the value of one sample. */
  add(values: ArrayLike<number>, dims: readonly number[]): void {
    const positions = Positions.of(dims, this.summed);
    if (positions === null) this.isUneven = true;
    if (positions === null || this.isUneven) return;
    const { columns, groups } = this.summed;
    const most = Math.max(1, Math.floor(SAMPLE_PRODUCTS / (groups * columns ** 2)));
    const taken = Math.min(positions.count, most);
    for (let from = 0; from < taken; from += PANEL) {
      const some = Array.from({ length: Math.min(PANEL, taken - from) }, (_, at) =>
        Math.floor(((from + at) * positions.count) / taken),
      );
      positions.read(values, some, { values: this.positions(), width: this.width });
      this.addPanel(some.length);
    }
  }

  /** The mean of the products, group by group, row-major; or why there is none. */
  result(): Float32Array | { readonly reason: string } {
    const { count, width, kernels } = this;
    const { columns, groups } = this.summed;
    if (this.isUneven) return { reason: 'its input was not observed as float rows of one length' };
    if (count === 0) return { reason: 'no sample ran it on finite inputs' };
    const sums = kernels.float64(this.sums, groups * width * width);
    const means = new Float32Array(groups * columns * columns);
    for (let group = 0; group < groups; group++) {
      const [own, from] = [group * columns * columns, group * width * width];
      for (let i = 0; i < columns; i++)
        for (let j = i; j < columns; j++) {
          const mean = sums[from + i * width + j]! / count;
          means[own + i * columns + j] = mean;
          means[own + j * columns + i] = mean;
        }
    }
    return means;
  }

  /** Add the products of so many positions, but of those with NaN or infinity. */
  private addPanel(filled: number): void {
    const panel = this.positions();
    const sums = new Float64Array(PANEL);
    for (let from = 0; from < panel.length; from += PANEL)
      for (let at = 0; at < filled; at++) sums[at] = sums[at]! + panel[from + at]!;
    for (let at = 0; at < PANEL; at++) {
      const isFinite = sums[at]! - sums[at]! === 0;
      if (at < filled && isFinite) this.count++;
      else for (let to = at; to < panel.length; to += PANEL) panel[to] = 0;
    }
    this.kernels.exports.addProducts(this.panel, this.sums, this.width, this.summed.groups);
  }

  private positions(): Float64Array {
    return this.kernels.float64(this.panel, this.summed.groups * this.width * PANEL);
  }
}

/** Bytes of the sums of products that an observer keeps. */
export function momentsBytes({ columns, groups }: Pick<Summed, 'columns' | 'groups'>): number {
  return groups * widthOf(columns) ** 2 * Float64Array.BYTES_PER_ELEMENT;
}

function widthOf(columns: number): number {
  return Math.ceil(columns / TILE) * TILE;
}
