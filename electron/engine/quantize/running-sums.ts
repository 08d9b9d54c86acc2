/** What an empty bin counts as (smooth_distribution of onnxruntime and MXNet). */
export const EPSILON = 0.0001;

/** Bins about the middle of a histogram, from `start` to before `end`, and what lies to both sides of them. */
export class Window {
  start = 0;
  end = 0;
  size = 0;
  left = 0;
  right = 0;
  /** 1 where an end bin, which is empty, comes into use by what lies outside of it. */
  newLeft = 0;
  newRight = 0;
  /** Bins in use. */
  used = 0;
  /** What smoothing takes of each of them. */
  taken = 0.5;
}

/** Sums of counts, and of bins in use, before each bin; of one histogram after the other. */
export class RunningSums {
  readonly bins: number;
  readonly middle: number;
  readonly before: Float64Array;
  readonly usedBefore: Int32Array;
  counts: Float64Array;
  total = 0;

  /** @param bins an even number */
  constructor(bins: number) {
    this.bins = bins;
    this.middle = bins / 2;
    this.before = new Float64Array(bins + 1);
    this.usedBefore = new Int32Array(bins + 1);
    this.counts = new Float64Array(bins);
  }

  /** @param counts of the histogram that is meant from now on, whole numbers */
  of(counts: Float64Array): this {
    const { before, usedBefore, bins } = this;
    let [sum, used] = [0, 0];
    for (let bin = 0; bin < bins; bin++) {
      const count = counts[bin]!;
      sum += count;
      if (count !== 0) used++;
      before[bin + 1] = sum;
      usedBefore[bin + 1] = used;
    }
    [this.counts, this.total] = [counts, sum];
    return this;
  }

  /** Bins of a window of so many to each side of the middle, and the middle one; all have as many as there are at most. */
  sizeOf(half: number): number {
    return Math.min(2 * half + 1, this.bins);
  }

  /** Make a window one of so many bins to each side of the middle, and the middle one. */
  setWindow(half: number, window: Window): void {
    const { counts, before, usedBefore, total } = this;
    const start = this.middle - half;
    const size = this.sizeOf(half);
    const end = start + size;
    const left = before[start]!;
    const right = total - before[end]!;
    const newLeft = counts[start] === 0 && left > 0 ? 1 : 0;
    const newRight = counts[end - 1] === 0 && right > 0 ? 1 : 0;
    const used = usedBefore[end]! - usedBefore[start]! + newLeft + newRight;
    window.start = start;
    window.end = end;
    window.size = size;
    window.left = left;
    window.right = right;
    window.newLeft = newLeft;
    window.newRight = newRight;
    window.used = used;
    window.taken = (EPSILON * (size - used)) / used;
  }
}
