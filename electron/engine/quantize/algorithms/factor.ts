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

/** Columns that are factorized at a time: their rows of a CHUNK stay in the processor's cache. */
const BLOCK = 64;

/** Columns over which rows are multiplied at a time. */
const CHUNK = 256;

/** Cholesky from the last columns to the first, in place, a block of columns at a time. */
function factorize(factor: Float64Array, size: number, check: () => void): boolean {
  for (let to = size; to > 0; to -= BLOCK) {
    const from = Math.max(0, to - BLOCK);
    for (let chunk = to; chunk < size; chunk += CHUNK) {
      check();
      subtractProducts(factor, size, [from, to], [chunk, Math.min(size, chunk + CHUNK)]);
    }
    if (!factorizeBlock(factor, size, from, to)) return false;
  }
  return true;
}

type Columns = readonly [from: number, to: number];

/** Subtracts from the columns of a block, in the rows down to its last, what the columns of a chunk after it make of it. */
function subtractProducts(
  factor: Float64Array,
  size: number,
  [from, to]: Columns,
  chunk: Columns,
): void {
  let row = 0;
  for (; row + 1 < to; row += 2) {
    let column = Math.max(from, row);
    for (; column + 3 < to; column += 4) subtractTile(factor, size, row, column, chunk);
    for (; column < to; column++)
      for (let each = row; each < row + 2; each++)
        subtractDot(factor, each * size, column * size, each * size + column, chunk);
  }
  for (let column = from; row < to && column < to; column++)
    subtractDot(factor, row * size, column * size, row * size + column, chunk);
}

function subtractDot(
  factor: Float64Array,
  a: number,
  b: number,
  at: number,
  [from, to]: Columns,
): void {
  factor[at] = factor[at]! - dot(factor, a, b, from, to);
}

/** Two rows times four: each value that is read is multiplied several times. */
function subtractTile(
  factor: Float64Array,
  size: number,
  row: number,
  column: number,
  [from, to]: Columns,
): void {
  const [a0, a1] = [row * size, (row + 1) * size];
  const b0 = column * size;
  const [b1, b2, b3] = [b0 + size, b0 + 2 * size, b0 + 3 * size];
  let [s00, s01, s02, s03, s10, s11, s12, s13] = [0, 0, 0, 0, 0, 0, 0, 0];
  for (let k = from; k < to; k++) {
    const x0 = factor[a0 + k]!;
    const x1 = factor[a1 + k]!;
    const y0 = factor[b0 + k]!;
    const y1 = factor[b1 + k]!;
    const y2 = factor[b2 + k]!;
    const y3 = factor[b3 + k]!;
    s00 += x0 * y0;
    s01 += x0 * y1;
    s02 += x0 * y2;
    s03 += x0 * y3;
    s10 += x1 * y0;
    s11 += x1 * y1;
    s12 += x1 * y2;
    s13 += x1 * y3;
  }
  const [first, second] = [a0 + column, a1 + column];
  factor[first] = factor[first]! - s00;
  factor[first + 1] = factor[first + 1]! - s01;
  factor[first + 2] = factor[first + 2]! - s02;
  factor[first + 3] = factor[first + 3]! - s03;
  factor[second] = factor[second]! - s10;
  factor[second + 1] = factor[second + 1]! - s11;
  factor[second + 2] = factor[second + 2]! - s12;
  factor[second + 3] = factor[second + 3]! - s13;
}

/** Cholesky of a block's own rows, and with its result that of the rows above. */
function factorizeBlock(factor: Float64Array, size: number, from: number, to: number): boolean {
  for (let j = to - 1; j >= from; j--) {
    const own = j * size;
    const pivot = Math.sqrt(factor[own + j]! - dot(factor, own, own, j + 1, to));
    if (!(pivot > 0)) return false;
    factor[own + j] = pivot;
    for (let i = from; i < j; i++) divide(factor, i * size, own, j, to);
  }
  for (let i = 0; i < from; i++)
    for (let j = to - 1; j >= from; j--) divide(factor, i * size, j * size, j, to);
  return true;
}

/** The value of a row in column j, that column's own row and all columns of the block after it being known. */
function divide(factor: Float64Array, row: number, own: number, j: number, to: number): void {
  factor[row + j] = (factor[row + j]! - dot(factor, row, own, j + 1, to)) / factor[own + j]!;
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
