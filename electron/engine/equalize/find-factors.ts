import { MOST_EXPONENT } from '../../../shared/equalization.ts';
import type { ObservedChannels, Ranges } from '../../../shared/ranges.ts';
import { throwIfAborted } from '../cancel.ts';
import type { EqualizablePart, OpenedModel, ScaledTensor } from '../formats/format.ts';
import type { ChannelView } from '../quantize/channel-view.ts';
import { peaksOf, type Scaling } from './scale-tensor.ts';

/** Sweeps over a model's layers after which factors count as settled; most models need three. */
const MOST_SWEEPS = 12;

/**
 * How much the magnitudes of what norms make count against those of the weights that take it (the migration strength of
 * SmoothQuant); measured in docs/accuracy.md.
 */
const SHARE_OF_NORMS = 0.75;
/** The same of weights: both sides alike. */
const SHARE_OF_WEIGHTS = 0.5;

/** By part: the exponents of its channels' factors; a reason where there are none. */
export type Exponents = readonly (readonly number[] | string)[];

/**
 * Factors that are powers of two. A channel of magnitude m where it is made, and t in the weights that take it, has a factor
 * near t^(1-share) / m^share; with one half both become the root of m t. Magnitudes are the largest ones: of weights (Nagel
 * et al. 2019, equation 11), and of what norms and factors make as calibration observed it (Xiao et al. 2022, 4). Layers
 * share weights, so that all are gone over until no factor changes.
 * @param ranges those of the values that `observedValues` names
 * @throws AppError CANCELLED
 */
export async function findExponents(
  opened: OpenedModel,
  parts: readonly EqualizablePart[],
  ranges: Pick<Ranges, 'values'>,
  signal: AbortSignal,
): Promise<Exponents> {
  const finder = new Finder(opened, parts, ranges);
  for (let sweep = 0; sweep < MOST_SWEEPS; sweep++) if (!(await finder.sweep(signal))) break;
  return finder.exponents;
}

/** Where a tensor takes factors. */
interface Place {
  readonly part: number;
  readonly view: ChannelView;
  readonly sign: 1 | -1;
}

/** Where factors are put, by tensor. */
export function placesOf(parts: readonly EqualizablePart[]): ReadonlyMap<number, readonly Place[]> {
  const places = new Map<number, Place[]>();
  for (const [part, { made, taken }] of parts.entries()) {
    const add = ({ tensor, view }: ScaledTensor, sign: 1 | -1): void => {
      const known = places.get(tensor) ?? [];
      known.push({ part, view, sign });
      places.set(tensor, known);
    };
    for (const each of made) add(each, 1);
    for (const each of taken) add(each, -1);
  }
  return places;
}

/** What a tensor is multiplied with; nothing where no factor is another than 1. */
export function scalingsOf(places: readonly Place[], exponents: Exponents): readonly Scaling[] {
  return places.flatMap(({ part, view, sign }) => {
    const own = exponents[part]!;
    if (typeof own === 'string' || own.every((each) => each === 0)) return [];
    return [{ view, factors: Float64Array.from(own, (each) => 2 ** (sign * each)) }];
  });
}

/** Names of the values whose channels are to be observed. */
export function observedValues(parts: readonly EqualizablePart[]): readonly string[] {
  return [...new Set(parts.flatMap(({ values }) => values.map(([name]) => name)))];
}

/** The weight that a value is made with; undefined where a norm or a factor makes it. */
function weightOf({ made }: EqualizablePart): ScaledTensor | undefined {
  return made.find(({ isWeight }) => isWeight);
}

class Finder {
  readonly exponents: (readonly number[] | string)[];
  private readonly opened: OpenedModel;
  private readonly parts: readonly EqualizablePart[];
  private readonly places: ReadonlyMap<number, readonly Place[]>;
  /** Parts whose tensors have other factors than when they were last gone over. */
  private stale: Set<number>;
  private readonly observed: ReadonlyMap<string, ObservedChannels | undefined>;

  constructor(
    opened: OpenedModel,
    parts: readonly EqualizablePart[],
    { values }: Pick<Ranges, 'values'>,
  ) {
    [this.opened, this.parts] = [opened, parts];
    this.observed = new Map(values.map(({ name, channels }) => [name, channels]));
    this.places = placesOf(parts);
    this.stale = new Set(parts.keys());
    this.exponents = parts.map(({ channels }) => new Array<number>(channels).fill(0));
  }

  /** Go over the parts once whose tensors changed. @returns whether a factor changed */
  async sweep(signal: AbortSignal): Promise<boolean> {
    const { stale } = this;
    this.stale = new Set();
    for (const at of [...stale].sort((a, b) => a - b)) {
      throwIfAborted(signal);
      const before = this.exponents[at]!;
      if (typeof before === 'string') continue;
      const now = this.found(at);
      this.exponents[at] = now;
      if (typeof now === 'string' || now.some((each, channel) => each !== before[channel]))
        this.touch(at);
      await new Promise(setImmediate);
    }
    return this.stale.size > 0;
  }

  /** Others that share a tensor with a part whose factors changed are to be gone over again. */
  private touch(at: number): void {
    const { made, taken } = this.parts[at]!;
    for (const { tensor } of [...made, ...taken])
      for (const { part } of this.places.get(tensor)!) if (part !== at) this.stale.add(part);
  }

  /** A part's factors by magnitudes with the factors of others. */
  private found(at: number): readonly number[] | string {
    const part = this.parts[at]!;
    const made = this.madePeaks(at);
    const taken = this.takenPeaks(at);
    if (typeof made === 'string') return made;
    if (typeof taken === 'string') return taken;
    const share = weightOf(part) === undefined ? SHARE_OF_NORMS : SHARE_OF_WEIGHTS;
    const wanted = Array.from(made, (size, channel) => {
      const weight = taken[channel]!;
      const isUsed = size > 0 && weight > 0;
      return isUsed ? (1 - share) * Math.log2(weight) - share * Math.log2(size) : null;
    });
    // What all channels have in common changes nothing.
    const even = median(wanted.flatMap((each) => each ?? []));
    const bounded = (exponent: number): number =>
      Math.max(-MOST_EXPONENT, Math.min(MOST_EXPONENT, exponent));
    // -0 is 0.
    return wanted.map((each) => bounded(Math.round((each ?? even) - even)) + 0);
  }

  /**
   * Magnitudes where channels are made: of the weight or of the results, whichever is further above its median. A channel
   * that a bias alone makes has small weights, and must not become a large one.
   */
  private madePeaks(at: number): Float64Array | string {
    const part = this.parts[at]!;
    const results = this.resultPeaks(part);
    const weight = weightOf(part);
    if (weight === undefined) return results;
    const peaks = this.peaks(weight, at);
    if (peaks === null) return 'its weight holds NaN or infinity';
    if (typeof results === 'string') return peaks;
    const [typical, usual] = [median([...peaks]), median([...results])];
    if (typical === 0 || usual === 0) return peaks;
    return peaks.map((peak, channel) => Math.max(peak / typical, results[channel]! / usual));
  }

  /** Magnitudes of a part's values, as they were observed. */
  private resultPeaks({ values, channels }: EqualizablePart): Float64Array | string {
    const peaks = new Float64Array(channels);
    for (const [name] of values) {
      const observed = this.observed.get(name)?.peaks;
      const each = (observed?.length ?? 0) / channels;
      if (observed === undefined || !Number.isInteger(each))
        return 'the channels of its result were not observed';
      for (const [index, peak] of observed.entries()) {
        const channel = Math.floor(index / each);
        peaks[channel] = Math.max(peaks[channel]!, peak);
      }
    }
    return peaks;
  }

  /** Magnitudes in the weights that take channels. */
  private takenPeaks(at: number): Float64Array | string {
    const { taken, channels } = this.parts[at]!;
    const largest = new Float64Array(channels);
    for (const each of taken) {
      const peaks = this.peaks(each, at);
      if (peaks === null) return 'a weight that takes its result holds NaN or infinity';
      for (const [channel, peak] of peaks.entries())
        largest[channel] = Math.max(largest[channel]!, peak);
    }
    return largest;
  }

  /** Magnitudes of a tensor's channels with the factors of all parts but one. */
  private peaks({ tensor, view }: ScaledTensor, without: number): Float64Array | null {
    const { files, model } = this.opened;
    const places = this.places.get(tensor)!.filter(({ part }) => part !== without);
    return peaksOf(files, model.tensors[tensor]!, scalingsOf(places, this.exponents), view);
  }
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
