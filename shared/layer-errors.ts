/** How far a layer's output is from the original's, as SQNR in dB: Infinity when equal, null where there is none. */
export interface LayerError {
  /** The operator's name in the original, or that of its first output where it has none. */
  readonly name: string;
  readonly op: string;
  /** With only this layer quantized, its inputs exact. */
  readonly localSqnrDb: number | null;
  /** With everything up to it quantized. */
  readonly accumulatedSqnrDb: number | null;
  /** Why there is no local error. */
  readonly note?: string;
}

/** Something that an export quantizes and that has no figures. */
export interface SkippedLayer {
  readonly name: string;
  /** After the name. */
  readonly reason: string;
}

/** The errors of an export's layers, in the order of execution. */
export interface LayerErrors {
  readonly samples: number;
  readonly layers: readonly LayerError[];
  readonly skipped: readonly SkippedLayer[];
}
