/** The formats that a dot product is computed in, and how each multiplies and adds. */
export const DOT_FORMATS = ['float32', 'bfloat16', 'float16', 'int8', 'q7', 'q15'] as const;
export type DotFormat = (typeof DOT_FORMATS)[number];

/** How sums are kept, and what the result is. */
export const DOT_WORDS: Readonly<Record<DotFormat, string>> = {
  float32: 'products and sums in float32',
  bfloat16: 'sums in float32, the result in bfloat16',
  float16: 'sums in float32, the result in float16',
  int8: 'sums in int32, times both scales',
  q7: 'sums in Q14 of 32 bits',
  q15: 'sums in Q30 of 64 bits',
};

/** The longest vectors: their int8 and Q7 sums fit in 32 bits whatever the values. */
export const MAX_DOT_LENGTH = 65_536;

export interface DotRow {
  readonly format: DotFormat;
  /** null where values that are no numbers keep it from being computed. */
  readonly result: number | null;
  /** |result - reference|. */
  readonly absoluteError: number | null;
  /** The absolute error over |reference|; null where that is 0. */
  readonly relativeError: number | null;
  /** Values of both vectors that lie outside what the format holds. */
  readonly clipped: number;
}

/** One dot product in float64, and after a downcast of both vectors to each format. */
export interface DotProduct {
  readonly length: number;
  /** Products and sums in float64, in order. */
  readonly reference: number;
  readonly rows: readonly DotRow[];
}
