import {
  HISTOGRAM_BINS,
  type ObservedChannels,
  type ObservedValue,
} from '../../../shared/ranges.ts';
import { edgedBins, type EdgedBins, type Reductions } from '../quantize/reductions.ts';

/**
 * Reduces all that one value holds in a calibration to its range, its moments and a histogram, in two rounds
 * over the same samples: the first finds the range, so that the second never has to split a bin.
 */
export class ValueObserver {
  readonly name: string;
  private min = Infinity;
  private max = -Infinity;
  private sum = 0;
  private squares = 0;
  private count = 0;
  private nonFinite = 0;
  private bins: EdgedBins | null = null;
  private readonly counts = new Float64Array(HISTOGRAM_BINS);
  private readonly channels: ChannelFigures | null;
  private readonly reductions: Reductions;

  /** @param axis where its channels are, from the end where it is negative; null for values without */
  constructor(name: string, reductions: Reductions, axis: number | null = null) {
    this.name = name;
    this.reductions = reductions;
    this.channels = axis === null ? null : new ChannelFigures(axis);
  }

  /** Take the value of one sample, in the first round. NaN and infinities are counted and left out. */
  addRange(values: Float32Array, dims: readonly number[]): void {
    const { min, max, sum, squares, finite } = this.reductions.sums(values);
    // -0 is 0.
    this.min = Math.min(this.min, min + 0);
    this.max = Math.max(this.max, max + 0);
    this.sum += sum;
    this.squares += squares;
    this.nonFinite += values.length - finite;
    this.count += finite;
    this.channels?.add(values, dims, finite === values.length);
  }

  /** Take the value of one sample, in the second round. */
  addCounts(values: Float32Array): void {
    this.bins ??= edgedBins(Math.max(Math.abs(this.min), Math.abs(this.max)), HISTOGRAM_BINS);
    this.reductions.addCounts(values, this.bins, this.counts);
  }

  /** Whether no number was given at all. */
  get isEmpty(): boolean {
    return this.count + this.nonFinite === 0;
  }

  /** What was observed; null where no finite number was. */
  result(): ObservedValue | null {
    const { name, min, max, sum, squares, count, nonFinite } = this;
    if (count === 0) return null;
    const channels = this.channels?.result() ?? null;
    return {
      ...{ name, min, max, mean: sum / count, power: squares / count, count, nonFinite },
      histogram: Array.from(this.counts),
      ...(channels === null ? {} : { channels }),
    };
  }
}

/** The mean of each channel of a value, and the largest magnitude. NaN and infinities are left out. */
class ChannelFigures {
  private readonly axis: number;
  private sums = new Float64Array(0);
  private counts = new Float64Array(0);
  private peaks = new Float64Array(0);
  private shape: readonly number[] | null = null;
  private isUneven = false;

  constructor(axis: number) {
    this.axis = axis;
  }

  add(values: ArrayLike<number>, dims: readonly number[], isFinite: boolean): void {
    const axis = this.axis < 0 ? dims.length + this.axis : this.axis;
    const channels = dims[axis] ?? 0;
    if (this.shape === null) {
      this.shape = [...dims];
      this.sums = new Float64Array(channels);
      this.counts = new Float64Array(channels);
      this.peaks = new Float64Array(channels);
    }
    // A value of another number of channels in another sample has none to tell apart.
    if (channels !== this.sums.length) this.isUneven = true;
    if (this.isUneven) return;
    const inner = dims.slice(axis + 1).reduce((product, size) => product * size, 1);
    for (let start = 0, channel = 0; start < values.length; start += inner) {
      let [sum, left, peak] = [0, 0, this.peaks[channel]!];
      for (let at = start; at < start + inner; at++) {
        const value = values[at]!;
        if (isFinite || value - value === 0) {
          sum += value;
          const size = Math.abs(value);
          if (size > peak) peak = size;
        } else left++;
      }
      this.peaks[channel] = peak;
      this.sums[channel] = this.sums[channel]! + sum;
      this.counts[channel] = this.counts[channel]! + inner - left;
      channel = channel + 1 === channels ? 0 : channel + 1;
    }
  }

  result(): ObservedChannels | null {
    const { sums, counts, peaks, shape } = this;
    if (shape === null || this.isUneven || sums.length === 0) return null;
    const means = Array.from(sums, (sum, channel) => sum / Math.max(1, counts[channel]!));
    return { means, peaks: Array.from(peaks), shape };
  }
}
