/** A .npy file of version 1, as numpy.save writes it. */
export function npyFile(descr: string, dims: readonly number[], values: Uint8Array): Uint8Array {
  const shape = dims.length === 1 ? `(${dims[0]},)` : `(${dims.join(', ')})`;
  const header =
    `{'descr': '${descr}', 'fortran_order': False, 'shape': ${shape}, }`.padEnd(117) + '\n';
  return Buffer.concat([
    Buffer.from('\u0093NUMPY\u0001\u0000', 'latin1'),
    Uint8Array.of(header.length & 255, header.length >> 8),
    Buffer.from(header, 'latin1'),
    values,
  ]);
}
