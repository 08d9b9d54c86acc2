/** What an output can be shown as. */
export const ANSWER_KINDS = [
  'scores',
  'picture',
  'mask',
  'boxes',
  'points',
  'ctc',
  'tokens',
  'wave',
  'numbers',
] as const;
export type AnswerKind = (typeof ANSWER_KINDS)[number];

/** Names of the kinds on screen. */
export const KIND_TITLES: Readonly<Record<AnswerKind, string>> = {
  scores: 'Class scores',
  picture: 'Picture',
  mask: 'Mask',
  boxes: 'Boxes',
  points: 'Keypoints',
  ctc: 'Text (CTC)',
  tokens: 'Text (tokens)',
  wave: 'Waveform',
  numbers: 'Numbers',
};

/** The file of names that a kind reads, in words; kinds without one are absent. */
export const NAMES_TITLES: Readonly<Partial<Record<AnswerKind, string>>> = {
  scores: 'Labels',
  mask: 'Labels',
  boxes: 'Labels',
  ctc: 'Dictionary',
  tokens: 'Tokenizer',
};

/** What the four numbers of a box are. */
export const BOX_ORDERS = ['x1 y1 x2 y2', 'y1 x1 y2 x2', 'center x y, w h', 'x1 y1, w h'] as const;
export type BoxOrder = (typeof BOX_ORDERS)[number];

/** RGBA, at most MOST_PIXELS. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly rgba: Uint8ClampedArray;
}

/** A picture of an output has no more pixels: 256 x 256, or as many in a line of text. */
export const MOST_PIXELS = 1 << 16;
/** Columns of a waveform. */
export const MOST_COLUMNS = 512;
/** Boxes of one output. */
export const MOST_BOXES = 100;
/** Points of one output. */
export const MOST_POINTS = 1000;
/** Characters or tokens of a text. */
export const MOST_CHARACTERS = 2000;
/** Classes of scores. */
export const TOP = 5;
/** First values of an output as plain numbers. */
export const FIRST_VALUES = 8;

/** A class with its score. */
export interface Ranked {
  readonly index: number;
  readonly label: string | null;
  readonly score: number;
  /** Length of the bar, 0 to 1: the probability. */
  readonly share: number;
}

/** A class of a mask, with the shares of the pixels that have it. */
export interface MaskClass {
  readonly index: number;
  readonly label: string | null;
  readonly colour: readonly [number, number, number];
  readonly before: number;
  readonly after: number;
}

/** Corners as fractions of the input's width and height. */
export interface Box {
  readonly x1: number;
  readonly y1: number;
  readonly x2: number;
  readonly y2: number;
  /** null where the model gives none. */
  readonly score: number | null;
  readonly label: string | null;
}

/** A place as fractions of the input's width and height. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** A run of characters; those that differ from the other side's are marked. */
export interface TextPiece {
  readonly text: string;
  readonly differs: boolean;
}

/** The lowest and highest value of each column. */
export interface Wave {
  readonly low: Float32Array;
  readonly high: Float32Array;
}

export interface NumberFacts {
  readonly first: readonly number[];
  /** Over the finite values; NaN where there are none. */
  readonly min: number;
  readonly max: number;
  readonly mean: number;
}

/** An output of one sample, before and after, as what it is. */
export type Answer =
  | {
      readonly kind: 'scores';
      readonly before: readonly Ranked[];
      readonly after: readonly Ranked[];
      /** The scores are no probabilities: bars show their softmax. */
      readonly isSoftmax: boolean;
    }
  | {
      readonly kind: 'picture';
      readonly before: Picture;
      readonly after: Picture;
      /** Black where they are equal, white at mostDifference. */
      readonly difference: Picture;
      readonly mostDifference: number;
      /** The values that are black and white. */
      readonly range: readonly [number, number];
    }
  | {
      readonly kind: 'mask';
      readonly before: Picture;
      readonly after: Picture;
      /** White where the class differs. */
      readonly difference: Picture;
      /** The most frequent classes. */
      readonly classes: readonly MaskClass[];
    }
  | {
      readonly kind: 'boxes';
      readonly before: readonly Box[];
      readonly after: readonly Box[];
      readonly order: BoxOrder;
    }
  | {
      readonly kind: 'points';
      readonly before: readonly Point[];
      readonly after: readonly Point[];
      readonly order: BoxOrder;
    }
  | {
      readonly kind: 'ctc' | 'tokens';
      readonly before: readonly TextPiece[];
      readonly after: readonly TextPiece[];
    }
  | {
      readonly kind: 'wave';
      readonly before: Wave;
      readonly after: Wave;
      readonly difference: Wave;
      readonly length: number;
    }
  | {
      readonly kind: 'numbers';
      readonly before: NumberFacts;
      readonly after: NumberFacts;
      readonly maxAbsError: number;
      readonly meanAbsError: number;
      readonly elements: number;
    };

/** How much of the original's answer the other gives too. */
export interface Agreement {
  /** How many of `of` are wrong; more than `of` where text was added. */
  readonly wrong: number;
  readonly of: number;
  /** What is counted, in the plural: "characters". */
  readonly unit: string;
}

/** The share that agrees, 0 to 1; null where nothing is counted. */
export function agreedShare({ wrong, of }: Agreement): number | null {
  if (of === 0) return wrong === 0 ? null : 0;
  return Math.max(0, 1 - wrong / of);
}

/** A share in percent with one decimal, rounded down: what is 100.0 agrees in everything. */
export function agreedPercent(share: number): string {
  return (Math.floor(share * 1000) / 10).toFixed(1);
}

/** The input that a person judges an answer by. */
export type InputView =
  | {
      readonly kind: 'picture';
      readonly name: string;
      readonly picture: Picture;
      /** As the model takes it. */
      readonly width: number;
      readonly height: number;
    }
  | { readonly kind: 'wave'; readonly name: string; readonly wave: Wave; readonly length: number };

/** One output of one sample. */
export interface OutputAnswer {
  readonly name: string;
  readonly shape: readonly number[];
  /** What it is shown as, and whether that is a guess. */
  readonly kind: AnswerKind;
  readonly isGuess: boolean;
  /** null where the sides cannot be shown together. */
  readonly answer: Answer | null;
  readonly agreement: Agreement | null;
  readonly sqnrDb: number | null;
  /** The base name of the labels file, dictionary or tokenizer that was read; null for none. */
  readonly names: string | null;
  /** Why it is not shown as what was chosen, or what is missing; a sentence, null for nothing. */
  readonly note: string | null;
}

/** The answers of one sample. */
export interface SampleAnswers {
  readonly sample: number;
  /** Samples whose outputs are kept. */
  readonly kept: number;
  /** The file that it came from; null for random samples. */
  readonly file: string | null;
  readonly input: InputView | null;
  readonly outputs: readonly OutputAnswer[];
}

/** How an output agrees over all samples that are kept. */
export interface TotalAgreement {
  readonly output: string;
  readonly kind: AnswerKind;
  readonly agreement: Agreement | null;
  /** Samples in which nothing that is counted differs, of those compared. */
  readonly sameSamples: number;
  readonly samples: number;
}
