import { asSentence } from './preparation.ts';

/** Factors of channels that were moved between the weights of a model before it was quantized. */
export interface Equalization {
  /** Empty where nothing was moved. */
  readonly layers: readonly EqualizedLayer[];
  /** Layers whose results have no factors, and why. */
  readonly left: readonly { readonly name: string; readonly reason: string }[];
  /** Why no layer has factors although some could. */
  readonly dropped?: string | undefined;
  /** Where exports with and without were compared: SQNR of the outputs, dB; null where they are exact. */
  readonly tried?: { readonly without: number | null; readonly with: number | null } | undefined;
}

/** A layer whose results have factors, which the layers that take them divide by. */
export interface EqualizedLayer {
  /** The operator. */
  readonly name: string;
  /** The name of its first output, which no other operator has. */
  readonly result: string;
  /** Operators that take its result. */
  readonly takers: readonly string[];
  /** By channel: the factor is two to the power of it, so that float results stay as they are to the bit. */
  readonly exponents: readonly number[];
}

/** No factor is further from 1 than two to the power of this. */
export const MOST_EXPONENT = 20;

/** How far factors go, as powers of two: the least and the largest exponent of all layers. */
export function extentOf({ layers }: Equalization): readonly [number, number] {
  let [least, largest] = [0, 0];
  for (const each of layers.flatMap(({ exponents }) => exponents)) {
    least = Math.min(least, each);
    largest = Math.max(largest, each);
  }
  return [least, largest];
}

/** The layers that have no factors by reason, those of most layers first. */
export function leftByReason({
  left,
}: Equalization): readonly { readonly reason: string; readonly layers: number }[] {
  const counts = new Map<string, number>();
  for (const { reason } of left) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return [...counts]
    .map(([reason, layers]) => ({ reason, layers }))
    .sort((a, b) => b.layers - a.layers);
}

/** What became of the wish for equalized weights, and why layers have no factors: a line for each reason. */
export function equalizationLines(found: Equalization): readonly string[] {
  const left = leftByReason(found).map(
    ({ reason, layers }) => `not equalized: ${layerCount(layers)}: ${reason}`,
  );
  return [...outcome(found), ...left];
}

/** The same as a paragraph, with the number of layers that have no factors. */
export function equalizationText(found: Equalization): string {
  const { length } = found.left;
  const others = length === 0 ? [] : [`${layerCount(length)} cannot have factors`];
  return [...outcome(found), ...others].map(asSentence).join(' ');
}

function layerCount(count: number): string {
  return `${count} ${count === 1 ? 'layer' : 'layers'}`;
}

function outcome(found: Equalization): readonly string[] {
  const { layers, dropped, tried } = found;
  const [least, largest] = extentOf(found);
  const first =
    layers.length > 0
      ? `equalized: the results of ${layerCount(layers.length)}, by factors of 2^${least} to 2^${largest}; float results are the same`
      : `not equalized: ${dropped ?? 'no layer can take factors that even out its channels'}`;
  return tried === undefined ? [first] : [first, triedLine(tried)];
}

function triedLine(tried: NonNullable<Equalization['tried']>): string {
  const text = (db: number | null): string => (db === null ? 'exact' : `${db.toFixed(1)} dB`);
  return `SQNR of the outputs on calibration samples: ${text(tried.with)} with equalized weights, ${text(tried.without)} without`;
}
