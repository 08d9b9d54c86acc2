/** What Windows shows: smallest first, none larger than 256. */
const ICO_SIZES = [16, 24, 32, 48, 64, 128, 256];

/** macOS's types of PNG pictures, by size; the second of a size is the first at twice the resolution. */
const ICNS_TYPES = [
  ['icp4', 16],
  ['icp5', 32],
  ['ic11', 32],
  ['ic12', 64],
  ['ic07', 128],
  ['ic08', 256],
  ['ic13', 256],
  ['ic09', 512],
  ['ic14', 512],
  ['ic10', 1024],
];

/**
 * A Windows icon of PNG pictures.
 * @param pngs the pictures by their size in pixels
 */
export function toIco(pngs) {
  const header = Buffer.alloc(6 + 16 * ICO_SIZES.length);
  header.writeUInt16LE(1, 2);
  header.writeUInt16LE(ICO_SIZES.length, 4);
  let offset = header.length;
  ICO_SIZES.forEach((size, index) => {
    const at = 6 + 16 * index;
    // 0 stands for 256.
    header.writeUInt8(size % 256, at);
    header.writeUInt8(size % 256, at + 1);
    header.writeUInt16LE(1, at + 4);
    header.writeUInt16LE(32, at + 6);
    header.writeUInt32LE(pngs.get(size).length, at + 8);
    header.writeUInt32LE(offset, at + 12);
    offset += pngs.get(size).length;
  });
  return Buffer.concat([header, ...ICO_SIZES.map((size) => pngs.get(size))]);
}

/**
 * A macOS icon of PNG pictures.
 * @param pngs the pictures by their size in pixels
 */
export function toIcns(pngs) {
  const parts = ICNS_TYPES.flatMap(([type, size]) => [
    block(type, pngs.get(size).length),
    pngs.get(size),
  ]);
  const bytes = parts.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat([block('icns', bytes), ...parts]);
}

/** A type of four letters and the length with these eight bytes. */
function block(type, length) {
  const header = Buffer.alloc(8);
  header.write(type, 'latin1');
  header.writeUInt32BE(length + 8, 4);
  return header;
}
