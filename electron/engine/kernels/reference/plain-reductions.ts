import type { Reductions } from '../../quantize/reductions.ts';

/** The reductions of activations in plain TypeScript: the reference implementation of the SIMD kernels. */
export const plainReductions: Reductions = {
  sums(values) {
    let [min, max, sum, squares, finite] = [Infinity, -Infinity, 0, 0, 0];
    for (let at = 0; at < values.length; at++) {
      const value = values[at]!;
      if (value - value !== 0) continue;
      if (value < min) min = value;
      if (value > max) max = value;
      sum += value;
      squares += value * value;
      finite++;
    }
    return { min, max, sum, squares, finite };
  },
  addCounts(values, { limit, edges }, counts) {
    const last = counts.length - 1;
    // All edges of a value that was always 0 are 0, and a value on an edge belongs to the bin above.
    const binsPerUnit = limit > 0 ? counts.length / (2 * limit) : Infinity;
    for (let at = 0; at < values.length; at++) {
      const value = values[at]!;
      if (value - value !== 0) continue;
      const place = (value + limit) * binsPerUnit;
      let bin = place < 0 ? 0 : place < last ? Math.trunc(place) : last;
      while (bin > 0 && value < edges[bin]!) bin--;
      while (bin < last && value >= edges[bin + 1]!) bin++;
      counts[bin] = counts[bin]! + 1;
    }
  },
};
