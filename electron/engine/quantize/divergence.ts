import { DivergenceBounds } from './divergence-bounds.ts';
import { EPSILON, RunningSums, Window } from './running-sums.ts';

/**
 * The half-width, in bins, of the window around the middle of a histogram which, with what lies
 * outside added to its end bins, diverges least from itself merged into so many levels
 * (onnxruntime's get_entropy_threshold). The first of equals wins.
 *
 * The reference smooths, normalizes and compares both distributions bin by bin for each window.
 * Here the same sums are taken by level, from running sums, and by count, as many bins have the
 * same; and only for windows whose bounds leave it open whether another diverges less.
 *
 * @param counts an even number of bins, whole numbers
 * @param levels at least 2 and at most as many as bins
 */
export function leastDivergence(counts: Float64Array, levels: number): number {
  return new DivergenceSearch(counts.length, levels).least(counts);
}

/** leastDivergence of many histograms of the same number of bins. */
export class DivergenceSearch {
  private readonly levels: number;
  private readonly histogram: RunningSums;
  private readonly bounds: DivergenceBounds;

  constructor(bins: number, levels: number) {
    this.levels = levels;
    this.histogram = new RunningSums(bins);
    this.bounds = new DivergenceBounds(this.histogram, levels);
  }

  least(counts: Float64Array): number {
    const { middle } = this.histogram.of(counts);
    const first = Math.floor(this.levels / 2);
    const { lower, upper } = this.bounds;
    this.bounds.update(first);
    let closest = Infinity;
    for (let half = first; half <= middle; half++) closest = Math.min(closest, upper[half]!);
    const open: number[] = [];
    for (let half = first; half <= middle; half++) if (lower[half]! <= closest) open.push(half);
    return open.length === 1 ? open[0]! : this.leastOf(open);
  }

  private leastOf(halves: readonly number[]): number {
    const divergences = new Divergences(this.histogram, this.levels);
    let [best, least] = [halves[0]!, Infinity];
    for (const half of halves) {
      const found = divergences.of(half);
      if (found < least) [best, least] = [half, found];
    }
    return best;
  }
}

/** The KL divergences of windows of a histogram, less the logarithm of the total, which all have in common. */
export class Divergences {
  private readonly histogram: RunningSums;
  private readonly levels: number;
  /** The distinct counts but 0, how many bins of a window have each, and the place of each bin's among them. */
  private readonly values: readonly number[];
  private readonly bins: Float64Array;
  private readonly places: Int32Array;
  private readonly merged = new MergedLevels();

  constructor(histogram: RunningSums, levels: number) {
    const { counts } = histogram;
    [this.histogram, this.levels] = [histogram, levels];
    this.values = [...new Set(counts)].filter((count) => count !== 0);
    const places = new Map(this.values.map((count, place) => [count, place]));
    this.bins = new Float64Array(this.values.length);
    this.places = Int32Array.from(counts, (count) => places.get(count) ?? -1);
  }

  /** @param half bins of the window to each side of the middle */
  of(half: number): number {
    const { counts, before, usedBefore, total } = this.histogram;
    const { levels, merged } = this;
    const window = new Window();
    this.histogram.setWindow(half, window);
    const { start, end, size, left, right, newLeft, newRight, used, taken } = window;
    if (used === 0) return Infinity;
    const ends = [left + counts[start]!, right + counts[end - 1]!];
    const own = this.selfTerm(window, ends) + (size - used) * EPSILON * Math.log(EPSILON);

    const width = Math.floor(size / levels);
    merged.reset(size);
    for (let level = 0; level < levels; level++) {
      const from = start + level * width;
      const to = from + width;
      const last = level === levels - 1;
      const outside = (level === 0 ? left : 0) + (last && to === end ? right : 0);
      const extra = (level === 0 ? newLeft : 0) + (last && to === end ? newRight : 0);
      const usedHere = usedBefore[to]! - usedBefore[from]! + extra;
      const merging = before[last ? end : to]! - before[from]!;
      const sum = before[to]! - before[from]! + outside;
      const weight = sum - taken * usedHere + EPSILON * (width - usedHere);
      merged.add(usedHere === 0 ? 0 : Math.floor(merging / usedHere), width, weight);
    }
    const tail = start + levels * width;
    if (tail < end) {
      const usedHere = usedBefore[end]! - usedBefore[tail]! + newRight;
      const sum = total - before[tail]!;
      merged.add(0, end - tail, sum - taken * usedHere + EPSILON * (end - tail - usedHere));
    }
    return (own - merged.crossTerm()) / total;
  }

  /** The sum of c log c over the smoothed counts in use: those inside, and those of the two end bins. */
  private selfTerm({ start, end, taken }: Window, ends: readonly number[]): number {
    const { values, bins, places } = this;
    bins.fill(0);
    for (let bin = start + 1; bin < end - 1; bin++) {
      const place = places[bin]!;
      if (place >= 0) bins[place] = bins[place]! + 1;
    }
    let sum = 0;
    for (let place = 0; place < values.length; place++) {
      if (bins[place] === 0) continue;
      const count = values[place]! - taken;
      sum += bins[place]! * count * Math.log(count);
    }
    for (const count of ends) if (count > 0) sum += (count - taken) * Math.log(count - taken);
    return sum;
  }
}

/** Levels of at most this many to a bin are gathered by it; there is no room for more, nor need. */
const GATHERED = 4096;

/** The reference's weight over levels, gathered by the whole number that each bin of a level is given. */
class MergedLevels {
  private readonly weights = new Float64Array(GATHERED);
  private readonly gathered: number[] = [];
  private readonly large: { readonly value: number; readonly weight: number }[] = [];
  private size = 0;
  private sum = 0;
  private used = 0;
  private weight = 0;

  /** Begins anew, for a window of so many bins. */
  reset(size: number): void {
    for (const value of this.gathered) this.weights[value] = 0;
    this.gathered.length = this.large.length = 0;
    this.size = size;
    this.sum = this.used = this.weight = 0;
  }

  /** A level of `bins` bins of `value` each, where the reference has `weight` in all. */
  add(value: number, bins: number, weight: number): void {
    this.sum += value * bins;
    this.weight += weight;
    if (value > 0) this.used += bins;
    if (value >= GATHERED) this.large.push({ value, weight });
    else {
      if (this.weights[value] === 0) this.gathered.push(value);
      this.weights[value] = this.weights[value]! + weight;
    }
  }

  /** The sum of the weights times the logs of the smoothed, normalized values; -Infinity without any. */
  crossTerm(): number {
    if (this.used === 0) return -Infinity;
    const taken = (EPSILON * (this.size - this.used)) / this.used;
    let sum = -this.weight * Math.log(this.sum);
    for (const value of this.gathered)
      sum += this.weights[value]! * Math.log(value === 0 ? EPSILON : value - taken);
    for (const { value, weight } of this.large) sum += weight * Math.log(value - taken);
    return sum;
  }
}
