import type { ImageSettings } from './calibration-settings.ts';

/** The kinds of files that samples come from. */
export type SourceKind = 'npz' | 'npy' | 'pb' | 'image' | 'audio';

/** What was understood of calibration data, for the window and for --json. */
export interface SamplesDescription {
  /** Runs of the model. */
  readonly count: number;
  readonly sequence: boolean;
  /** Samples, or sequences, by the kind of their files. */
  readonly kinds: readonly { readonly kind: SourceKind | 'random'; readonly samples: number }[];
  readonly inputs: readonly {
    readonly name: string;
    readonly type: string;
    /** As the model declares it: sizes, and names of free dimensions. */
    readonly shape: readonly (number | string)[];
    /** The shape in the first sample. */
    readonly dims: readonly number[];
    readonly from: 'files' | 'random' | 'zero state' | 'constant';
  }[];
  /** How pictures are prepared, ready for a recipe, and which of it was guessed; null without pictures. */
  readonly images: {
    readonly input: string;
    readonly settings: Omit<ImageSettings, 'size'> & {
      readonly size: readonly [number | null, number | null];
    };
    readonly guessed: readonly (keyof ImageSettings)[];
  } | null;
  readonly audio: {
    readonly input: string;
    readonly rate: number;
    readonly window: number | null;
  } | null;
  readonly warnings: readonly string[];
}

/** A sample to look at: a small picture in RGBA, or for each column of a waveform its lowest and highest value. */
export type Preview =
  | {
      readonly kind: 'picture';
      readonly file: string;
      readonly width: number;
      readonly height: number;
      readonly rgba: Uint8ClampedArray;
    }
  | {
      readonly kind: 'waveform';
      readonly file: string;
      /** Low and high of each column, from -1 to 1. */
      readonly envelope: Float32Array;
      readonly seconds: number;
    };
