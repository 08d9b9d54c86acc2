/** What an empty bin counts as (smooth_distribution of onnxruntime and MXNet). */
const EPSILON = 0.0001;

/**
 * The half-width, in bins, of the window around the middle of a histogram which, with what lies
 * outside added to its end bins, diverges least from itself merged into so many levels
 * (onnxruntime's get_entropy_threshold). The first of equals wins.
 *
 * The reference smooths, normalizes and compares both distributions bin by bin for each window.
 * Here the same sums are taken by level, from running sums, and by count, as many bins have the
 * same: tens of logarithms for a window instead of thousands.
 *
 * @param counts an even number of bins
 * @param levels at least 2 and at most as many as bins
 */
export function leastDivergence(counts: Float64Array, levels: number): number {
  const middle = counts.length / 2;
  const histogram = new RunningSums(counts);
  const inside = new CountedBins(counts);
  const merged = new MergedLevels();
  const first = Math.floor(levels / 2);
  let [best, least] = [first, Infinity];
  for (let half = first; half <= middle; half++) {
    const start = middle - half;
    const end = Math.min(middle + half + 1, counts.length);
    inside.widenTo(start + 1, end - 1);
    const found = divergence(histogram, inside, start, end, levels, merged);
    if (found < least) [best, least] = [half, found];
  }
  return best;
}

/** Sums of counts, and of bins in use, before each bin. */
class RunningSums {
  readonly counts: Float64Array;
  readonly before: Float64Array;
  readonly usedBefore: Float64Array;
  readonly total: number;

  constructor(counts: Float64Array) {
    this.counts = counts;
    this.before = new Float64Array(counts.length + 1);
    this.usedBefore = new Float64Array(counts.length + 1);
    for (let bin = 0; bin < counts.length; bin++) {
      this.before[bin + 1] = this.before[bin]! + counts[bin]!;
      this.usedBefore[bin + 1] = this.usedBefore[bin]! + (counts[bin] === 0 ? 0 : 1);
    }
    this.total = this.before[counts.length]!;
  }
}

/** How many bins of a growing window have each count. */
class CountedBins {
  /** The distinct counts but 0, and how many bins have each. */
  readonly values: readonly number[];
  readonly bins: Float64Array;
  private readonly counts: Float64Array;
  private readonly places: ReadonlyMap<number, number>;
  private start: number;
  private end: number;

  constructor(counts: Float64Array) {
    this.counts = counts;
    this.values = [...new Set(counts)].filter((count) => count !== 0);
    this.places = new Map(this.values.map((count, place) => [count, place]));
    this.bins = new Float64Array(this.values.length);
    this.start = this.end = counts.length / 2;
  }

  widenTo(start: number, end: number): void {
    while (this.start > start) this.add(--this.start);
    while (this.end < end) this.add(this.end++);
  }

  private add(bin: number): void {
    const place = this.places.get(this.counts[bin]!);
    if (place !== undefined) this.bins[place] = this.bins[place]! + 1;
  }
}

/** The KL divergence of a window [start, end), less the logarithm of the total, which all have in common. */
function divergence(
  { counts, before, usedBefore, total }: RunningSums,
  inside: CountedBins,
  start: number,
  end: number,
  levels: number,
  merged: MergedLevels,
): number {
  const size = end - start;
  const left = before[start]!;
  const right = total - before[end]!;
  // An end bin comes into use by what lies outside of it.
  const newLeft = counts[start] === 0 && left > 0 ? 1 : 0;
  const newRight = counts[end - 1] === 0 && right > 0 ? 1 : 0;
  const used = usedBefore[end]! - usedBefore[start]! + newLeft + newRight;
  if (used === 0) return Infinity;
  const taken = (EPSILON * (size - used)) / used;
  const ends = [left + counts[start]!, right + counts[end - 1]!];
  const own = selfTerm(inside, ends, taken) + (size - used) * EPSILON * Math.log(EPSILON);

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
function selfTerm(inside: CountedBins, ends: readonly number[], taken: number): number {
  let sum = 0;
  for (let place = 0; place < inside.values.length; place++) {
    const bins = inside.bins[place]!;
    if (bins === 0) continue;
    const count = inside.values[place]! - taken;
    sum += bins * count * Math.log(count);
  }
  for (const count of ends) if (count > 0) sum += (count - taken) * Math.log(count - taken);
  return sum;
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
