// Products of the inputs of each two columns of a weight, in float64, as calibrate/moments-observer.ts adds them up.

/** Bytes of the positions of one column: 32 doubles. */
const COLUMN: usize = 256;

/**
 * Add to the sums of each group the products of each two of its columns over 32 positions. Sums of a group lie row by
 * row; those below the tiles of the diagonal stay as they are.
 * @param panel the positions of the first column, of the second, and so on, group after group
 * @param columns of a group; a multiple of 4
 */
export function addProducts(panel: usize, sums: usize, columns: i32, groups: i32): void {
  const width = usize(columns);
  for (let group = 0; group < groups; group++) {
    for (let i: usize = 0; i < width; i += 2)
      for (let j = i & ~3; j < width; j += 4)
        addTile(panel + i * COLUMN, panel + j * COLUMN, sums + (i * width + j) * 8, width * 8);
    panel += width * COLUMN;
    sums += width * width * 8;
  }
}

/** Two columns times four: each value that is read is multiplied several times. */
function addTile(a: usize, b: usize, sums: usize, row: usize): void {
  let s00 = f64x2.splat(0);
  let s01 = s00;
  let s02 = s00;
  let s03 = s00;
  let s10 = s00;
  let s11 = s00;
  let s12 = s00;
  let s13 = s00;
  for (let at: usize = 0; at < COLUMN; at += 16) {
    const x0 = v128.load(a + at);
    const x1 = v128.load(a + at, COLUMN);
    const y0 = v128.load(b + at);
    s00 = f64x2.add(s00, f64x2.mul(x0, y0));
    s10 = f64x2.add(s10, f64x2.mul(x1, y0));
    const y1 = v128.load(b + at, COLUMN);
    s01 = f64x2.add(s01, f64x2.mul(x0, y1));
    s11 = f64x2.add(s11, f64x2.mul(x1, y1));
    const y2 = v128.load(b + at, 2 * COLUMN);
    s02 = f64x2.add(s02, f64x2.mul(x0, y2));
    s12 = f64x2.add(s12, f64x2.mul(x1, y2));
    const y3 = v128.load(b + at, 3 * COLUMN);
    s03 = f64x2.add(s03, f64x2.mul(x0, y3));
    s13 = f64x2.add(s13, f64x2.mul(x1, y3));
  }
  addPair(sums, s00, s01);
  addPair(sums + 16, s02, s03);
  addPair(sums + row, s10, s11);
  addPair(sums + row + 16, s12, s13);
}

/** Add what the lanes of two vectors come to, to two sums. */
function addPair(sums: usize, first: v128, second: v128): void {
  const even = i64x2.shuffle(first, second, 0, 2);
  const odd = i64x2.shuffle(first, second, 1, 3);
  v128.store(sums, f64x2.add(v128.load(sums), f64x2.add(even, odd)));
}
