import { EPSILON, Window, type RunningSums } from './running-sums.ts';

/** Counts below this are looked up. */
const SMALL = 8192;

/** Logarithms and inverses of small counts, which most are; 0 for none. */
const LOGS = Float64Array.from({ length: SMALL }, (_, count) => Math.log(Math.max(1, count)));
const INVERSES = Float64Array.from({ length: SMALL }, (_, count) => (count === 0 ? 0 : 1 / count));
/** With less taken of each bin, the terms of log(1 - t) from t^2 / 2 on are less than t^2. */
const MOST_TAKEN = 0.5;

const LOG_EPSILON = Math.log(EPSILON);

/** From so many counts on no window is bounded: mergedCount takes sums of 31 bits. */
const MOST_COUNTED = 2 ** 31;

/** Sums before each level of a chain: of those in use, over what a bin of the level is given. */
const FIELDS = 5;
const [BY_LOG, USED_BY_LOG, BY_VALUE, VALUES, LEVELS] = [0, 1, 2, 3, 4];

/**
 * Bounds of the divergences of all windows of a histogram, in a small part of the time that the divergences take:
 *
 * - windows whose levels are of the same width share most levels, as each begins a bin before the last one: levels one
 *   after the other make a chain, and what a window sums over its levels is the difference of two running sums;
 * - what smoothing takes of every bin in use is small: of log(c - t) = log c - t / c - ... the first two terms are summed, and
 *   the bounds leave room for the others.
 */
export class DivergenceBounds {
  /** By half-width: between these lies a divergence, as it is summed here and as Divergences sums it. */
  readonly lower: Float64Array;
  readonly upper: Float64Array;
  private readonly histogram: RunningSums;
  private readonly levels: number;
  private readonly chain: Float64Array;
  /** Sums before each bin of c log c and of log c, of counts that are not 0. */
  private readonly selves: Float64Array;
  private readonly logs: Float64Array;
  private readonly window = new Window();
  private readonly ends = new Ends();
  private rounding = 0.5;
  private perCount = 0.5;

  /** @param levels at least 2 */
  constructor(histogram: RunningSums, levels: number) {
    const { bins, middle } = histogram;
    [this.histogram, this.levels] = [histogram, levels];
    this.lower = new Float64Array(middle + 1);
    this.upper = new Float64Array(middle + 1);
    // Windows of one width are at most half as many as levels, and one more.
    this.chain = new Float64Array((2 * levels + 1) * FIELDS);
    this.selves = new Float64Array(bins + 1);
    this.logs = new Float64Array(bins + 1);
  }

  /** Bound the windows of the histogram that is in the running sums now, of at least `first` bins to each side. */
  update(first: number): void {
    const { histogram, levels } = this;
    if (histogram.total >= MOST_COUNTED) {
      this.lower.fill(-Infinity);
      this.upper.fill(Infinity);
      return;
    }
    this.sumSelves();
    for (let half = first; half <= histogram.middle;) {
      const width = Math.floor(histogram.sizeOf(half) / levels);
      let next = half + 1;
      while (next <= histogram.middle && histogram.sizeOf(next) < (width + 1) * levels) next++;
      // Windows whose starts are a multiple of the width apart are of one chain.
      for (let each = half; each < Math.min(next, half + width); each++)
        this.addChain(each, next, width);
      half = next;
    }
  }

  private sumSelves(): void {
    const { selves, logs } = this;
    const { counts, total, bins } = this.histogram;
    let [self, logarithms] = [0, 0];
    for (let bin = 0; bin < bins; bin++) {
      const count = counts[bin]!;
      if (count !== 0) {
        const log = logOf(count);
        self += count * log;
        logarithms += log;
      }
      selves[bin + 1] = self;
      logs[bin + 1] = logarithms;
    }
    // Three sums of at most so many terms, each of weights that are about the total together, by logs of at most so much.
    const largest = Math.log(total) + Math.log(bins) - LOG_EPSILON;
    this.perCount = 1 / total;
    this.rounding = 3 * (1 + (EPSILON * bins) / total) * largest * bins * 2 ** -51;
  }

  /** Every window of half-widths from `half` to before `next`, in steps of the width of their levels. */
  private addChain(half: number, next: number, width: number): void {
    const { middle } = this.histogram;
    const windows = Math.ceil((next - half) / width);
    const from = middle - half - (windows - 1) * width;
    this.sumChain(from, width, windows);
    for (let window = 0; window < windows; window++)
      this.addWindow(middle - from - window * width, width, window);
  }

  /** Running sums over levels from the second on: up to that of each window, and up to its last. */
  private sumChain(start: number, width: number, windows: number): void {
    const { before, usedBefore } = this.histogram;
    const { chain, levels } = this;
    const lasts = (levels - 1) * FIELDS;
    const smoothed = EPSILON * width;
    let [byLog, usedByLog, byValue, values, inUse] = [0, 0, 0, 0, 0];
    for (let field = 0; field < 2 * FIELDS; field++) chain[field] = 0;
    let from = start + width;
    for (let at = 2 * FIELDS; at < lasts + windows * FIELDS; at += FIELDS) {
      const to = from + width;
      const used = usedBefore[to]! - usedBefore[from]!;
      const sum = before[to]! - before[from]!;
      const value = mergedCount(sum, used);
      const log = value < SMALL ? LOGS[value]! : Math.log(value);
      const inverse = value < SMALL ? INVERSES[value]! : 1 / value;
      byLog += (sum + smoothed) * log;
      usedByLog += used * log;
      byValue += (sum + smoothed) * inverse;
      values += value;
      inUse += used > 0 ? 1 : 0;
      from = to;
      if (at > windows * FIELDS && at < lasts) continue;
      chain[at] = byLog;
      chain[at + USED_BY_LOG] = usedByLog;
      chain[at + BY_VALUE] = byValue;
      chain[at + VALUES] = values;
      chain[at + LEVELS] = inUse;
    }
  }

  /** @param at the window's place in its chain */
  private addWindow(half: number, width: number, at: number): void {
    const { histogram, chain, levels, window, ends } = this;
    histogram.setWindow(half, window);
    ends.set(histogram, window, width, levels);
    const from = (at + 1) * FIELDS;
    const to = (at + levels - 1) * FIELDS;
    const inUse = chain[to + LEVELS]! - chain[from + LEVELS]!;
    const bins = width * (inUse + (ends.first > 0 ? 1 : 0) + (ends.last > 0 ? 1 : 0));
    const merged = EPSILON * (window.size * inverseOf(bins) - 1);
    const perUsed = window.taken + EPSILON;
    const values = chain[to + VALUES]! - chain[from + VALUES]! + ends.first + ends.last;
    // Of a level without counts all weight is that of its empty bins.
    const cross =
      chain[to + BY_LOG]! -
      chain[from + BY_LOG]! -
      perUsed * (chain[to + USED_BY_LOG]! - chain[from + USED_BY_LOG]!) -
      merged * (chain[to + BY_VALUE]! - chain[from + BY_VALUE]!) +
      (levels - 2 - inUse) * width * EPSILON * LOG_EPSILON +
      ends.terms(merged) -
      histogram.total * (logOf(width) + logOf(values));
    const found = (this.selfTerm() - cross) * this.perCount;
    const isBounded = bins > 0 && window.taken < MOST_TAKEN && merged < MOST_TAKEN;
    const above = this.rounding + window.taken * window.taken + merged * merged;
    this.lower[half] = isBounded ? found - this.rounding - merged * perUsed : -Infinity;
    this.upper[half] = isBounded ? found + above : Infinity;
  }

  /** The sum of c log c over the smoothed counts in use, without the terms that `left` stands for. */
  private selfTerm(): number {
    const { counts, usedBefore } = this.histogram;
    const { start, end, size, left: outside, right, used, taken } = this.window;
    const from = start + 1;
    const to = end - 1;
    const inUse = usedBefore[to]! - usedBefore[from]!;
    const smoothing = this.logs[to]! - this.logs[from]! + inUse;
    return (
      this.selves[to]! -
      this.selves[from]! -
      taken * smoothing +
      smoothedSelf(outside + counts[start]!, taken) +
      smoothedSelf(right + counts[to]!, taken) +
      (size - used) * EPSILON * LOG_EPSILON
    );
  }
}

/** The first and the last level of a window: what each of their bins is given, and the weights of that. */
class Ends {
  first = 0;
  last = 0;
  private firstWeight = 0.5;
  private lastWeight = 0.5;
  /** Of the bins after the last level, where the window has no whole number of levels. */
  private tailWeight = 0.5;

  set(
    { before, usedBefore, total }: RunningSums,
    window: Window,
    width: number,
    levels: number,
  ): void {
    const { start, end, taken, right, newLeft, newRight } = window;
    const perUsed = taken + EPSILON;
    const second = start + width;
    const tail = start + levels * width;
    const lastStart = tail - width;
    const isWhole = tail === end;
    const firstUsed = usedBefore[second]! - usedBefore[start]! + newLeft;
    const lastUsed = usedBefore[tail]! - usedBefore[lastStart]! + (isWhole ? newRight : 0);
    const tailUsed = usedBefore[end]! - usedBefore[tail]! + newRight;
    this.first = mergedCount(before[second]! - before[start]!, firstUsed);
    this.last = mergedCount(before[end]! - before[lastStart]!, lastUsed);
    this.firstWeight = before[second]! - perUsed * firstUsed + EPSILON * width;
    const lastSum = before[tail]! - before[lastStart]! + (isWhole ? right : 0);
    this.lastWeight = lastSum - perUsed * lastUsed + EPSILON * width;
    const tailSum = total - before[tail]!;
    this.tailWeight = isWhole ? 0 : tailSum - perUsed * tailUsed + EPSILON * (end - tail);
  }

  /** Their weights by the logarithms of what their bins are given. @param taken what smoothing takes of each */
  terms(taken: number): number {
    return (
      this.firstWeight * smoothedLog(this.first, taken) +
      this.lastWeight * smoothedLog(this.last, taken) +
      this.tailWeight * LOG_EPSILON
    );
  }
}

function logOf(count: number): number {
  return count < LOGS.length ? LOGS[count]! : Math.log(count);
}

/**
 * What each bin of a level is given: floor(sum / used), or 0 where none is in use. Half a count more is no other
 * whole number, and keeps the product at least 0.5 / used from one. Sums are less than 2^31.
 */
function mergedCount(sum: number, used: number): number {
  return ((sum + 0.5) * inverseOf(used)) | 0;
}

function inverseOf(count: number): number {
  return count < INVERSES.length ? INVERSES[count]! : 1 / count;
}

function smoothedLog(value: number, taken: number): number {
  return value === 0 ? LOG_EPSILON : logOf(value) - taken / value;
}

function smoothedSelf(count: number, taken: number): number {
  if (count === 0) return 0;
  const log = logOf(count);
  return count * log - taken * (log + 1);
}
