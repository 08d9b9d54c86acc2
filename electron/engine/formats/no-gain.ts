// Why a tensor, or a whole export, stays as it is: it would save no bytes.

export const NO_SMALLER_EXPORT = 'the whole export would be at least as large as its source';

/**
 * The reason of a tensor that would save nothing, as the words after "it".
 * @param after bytes of its codes with all that they need
 * @param before bytes that it takes in the source: at most as many as after
 */
export function noGain(before: number, after: number): string {
  return after === before
    ? `would stay at ${before} bytes`
    : `would grow from ${before} to ${after} bytes`;
}
