/** The metadata entry that names the least runtime a model runs in: a word, padded with zeros. */
export const MIN_RUNTIME_VERSION = 'min_runtime_version';

/** Bytes that a word is looked for in. */
export const MAX_WORD = 256;

/** The runtime from which each version of the operators that an export raises is there (tensorflow's runtime_version.cc). */
const SINCE: Readonly<Record<string, Readonly<Record<number, string>>>> = {
  BATCH_MATMUL: { 4: '2.5.0' },
  BIDIRECTIONAL_SEQUENCE_LSTM: { 3: '1.14.0' },
  BIDIRECTIONAL_SEQUENCE_RNN: { 3: '2.3.0' },
  CAST: { 7: '2.17.0' },
  CONV_2D: { 2: '1.14.0', 5: '2.4.0', 6: '2.9.0' },
  DEPTHWISE_CONV_2D: { 4: '2.2.0', 6: '2.3.0' },
  DEQUANTIZE: { 1: '1.13.1', 2: '1.14.0', 3: '1.15.0', 5: '2.7.0', 6: '2.18.0' },
  EMBEDDING_LOOKUP: { 3: '1.14.0', 4: '2.18.0' },
  FULLY_CONNECTED: { 9: '2.3.0', 12: '2.17.0' },
  GATHER: { 2: '1.14.0' },
  LSTM: { 4: '2.3.0' },
  RNN: { 3: '2.3.0' },
  SVDF: { 4: '2.3.0' },
  TRANSPOSE_CONV: { 2: '2.2.0', 3: '2.3.0' },
  UNIDIRECTIONAL_SEQUENCE_LSTM: { 3: '2.3.0' },
  UNIDIRECTIONAL_SEQUENCE_RNN: { 3: '2.3.0' },
};

/**
 * The entry's bytes with the runtime that the raised operators need, where that is newer.
 * @returns null when the entry stays as it is
 */
export function raisedRuntimeVersion(
  bytes: Uint8Array,
  needed: ReadonlyMap<string, number>,
): Uint8Array | null {
  const end = bytes.indexOf(0);
  const word = Buffer.from(bytes.subarray(0, end < 0 ? bytes.length : end)).toString('latin1');
  let newest = word;
  for (const [op, version] of needed) {
    const since = SINCE[op]?.[version];
    if (since !== undefined && isOlder(newest, since)) newest = since;
  }
  if (newest === word) return null;
  const raised = new Uint8Array(Math.max(bytes.length, newest.length));
  raised.set(Buffer.from(newest, 'latin1'));
  return raised;
}

/** Whether a version such as 1.14.0 comes before another; an empty one before all. */
function isOlder(version: string, other: string): boolean {
  const [a, b] = [version, other].map((text) => text.split('.').map(Number));
  for (let part = 0; part < Math.max(a!.length, b!.length); part++) {
    const [x, y] = [a![part] ?? 0, b![part] ?? 0];
    if (x !== y) return x < y;
  }
  return false;
}
