/** Share of the mean diagonal that is added to it, so that inputs that hardly vary do not decide everything (GPTQ, 3.3). */
export const DAMPING = 0.01;

/** How often the damping is made ten times as large for moments that are not positive definite in float64. */
const ATTEMPTS = 3;

/**
 * The upper triangular R of H = R R^T, where H has the moments of the columns in an order and a damped diagonal.
 * Row-major; what is below the diagonal means nothing. Null where no damping makes H positive definite, as of
 * inputs that are all zero.
 */
export function factorOf(
  moments: Float32Array,
  order: Int32Array,
  check: () => void,
): Float64Array | null {
  const size = order.length;
  let mean = 0;
  for (let i = 0; i < size; i++) mean += moments[i * size + i]! / size;
  if (!(mean > 0) || !Number.isFinite(mean)) return null;
  const factor = new Float64Array(size * size);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const damping = DAMPING * mean * 10 ** attempt;
    for (let i = 0; i < size; i++) {
      const from = order[i]! * size;
      for (let j = i; j < size; j++) factor[i * size + j] = moments[from + order[j]!]!;
      factor[i * size + i] = factor[i * size + i]! + damping;
    }
    if (factorize(factor, size, check)) return factor;
  }
  return null;
}

/** Cholesky from the last column to the first, in place, over rows that lie together. */
function factorize(factor: Float64Array, size: number, check: () => void): boolean {
  for (let j = size - 1; j >= 0; j--) {
    if (j % 16 === 0) check();
    const own = j * size;
    const pivot = Math.sqrt(factor[own + j]! - dot(factor, own, own, j + 1, size));
    if (!(pivot > 0)) return false;
    factor[own + j] = pivot;
    for (let i = 0; i < j; i++) {
      const at = i * size;
      factor[at + j] = (factor[at + j]! - dot(factor, at, own, j + 1, size)) / pivot;
    }
  }
  return true;
}

/** The product of two rows over columns [from, to). */
function dot(values: Float64Array, a: number, b: number, from: number, to: number): number {
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  let k = from;
  for (; k + 3 < to; k += 4) {
    s0 += values[a + k]! * values[b + k]!;
    s1 += values[a + k + 1]! * values[b + k + 1]!;
    s2 += values[a + k + 2]! * values[b + k + 2]!;
    s3 += values[a + k + 3]! * values[b + k + 3]!;
  }
  for (; k < to; k++) s0 += values[a + k]! * values[b + k]!;
  return s0 + s1 + (s2 + s3);
}
