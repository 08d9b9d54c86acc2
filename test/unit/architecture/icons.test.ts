import * as fs from 'node:fs';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import { toIcns, toIco } from '../../../build/icon-files.mjs';
import { root } from '../../helpers/root.ts';

const folder = path.join(root, 'build/icons');

/** The committed pictures by the size that their names say. */
const pngs = new Map(
  fs
    .readdirSync(path.join(folder, 'png'))
    .map((name) => [Number.parseInt(name), fs.readFileSync(path.join(folder, 'png', name))]),
);

test('each icon has the size that its name says', () => {
  expect([...pngs.keys()].sort((a, b) => a - b)).toEqual([
    16, 24, 32, 48, 64, 96, 128, 256, 512, 1024,
  ]);
  for (const [size, png] of pngs)
    expect([png.toString('latin1', 1, 4), png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([
      'PNG',
      size,
      size,
    ]);
});

test('the icons of Windows and macOS hold these pictures', () => {
  expect(fs.readFileSync(path.join(folder, 'icon.ico')).equals(toIco(pngs))).toBe(true);
  expect(fs.readFileSync(path.join(folder, 'icon.icns')).equals(toIcns(pngs))).toBe(true);
});
