/** What of an export is measured by itself. */
export const LAYER_PARTS = ['weights', 'activations'] as const;

export type LayerPart = (typeof LAYER_PARTS)[number];

/** How far a layer's output is from the original's, as SQNR in dB: Infinity when equal, null where there is none. */
export interface LayerError {
  /** The operator's name in the original, or that of its first output where it has none. */
  readonly name: string;
  readonly op: string;
  /** Its place in the order of execution: OperatorRef.id in the original. */
  readonly operator: number;
  /** Its weights, as TensorRef.id in the original. */
  readonly tensors: readonly number[];
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

/** A layer at which the accumulated error grows more than anywhere before. */
export interface ErrorJump {
  /** Position in LayerErrors.layers. */
  readonly at: number;
  /** How far the accumulated SQNR falls below all layers before, in dB. */
  readonly dropDb: number;
}

/** A drop by this much means four times the noise. */
const LEAST_DROP_DB = 6.02;

/**
 * Where the accumulated error jumps: the layers whose accumulated SQNR is lower than that of every layer before by
 * 6 dB or more, the largest first. The first layer is held against the median of the local errors.
 */
export function errorJumps(layers: readonly LayerError[], most: number): readonly ErrorJump[] {
  const local = layers.flatMap(({ localSqnrDb: db }) => (isFinite(db) ? [db] : []));
  let lowest = local.sort((a, b) => a - b)[local.length >> 1] ?? Infinity;
  const jumps: ErrorJump[] = [];
  for (const [at, { accumulatedSqnrDb: db }] of layers.entries()) {
    if (!isFinite(db)) continue;
    if (lowest - db >= LEAST_DROP_DB) jumps.push({ at, dropDb: lowest - db });
    lowest = Math.min(lowest, db);
  }
  return jumps.sort((a, b) => b.dropDb - a.dropDb).slice(0, most);
}

function isFinite(db: number | null): db is number {
  return db !== null && Number.isFinite(db);
}
