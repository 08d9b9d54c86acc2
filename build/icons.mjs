// npm run icons: draws build/icons/quantscope.svg in every size, as PNG files, for Windows as one
// .ico and for macOS as one .icns. What it writes is committed, as not every machine has a display.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { _electron } from '@playwright/test';
import { electronPath } from './electron-runtime.mjs';
import { toIcns, toIco } from './icon-files.mjs';
import { root } from './paths.mjs';
import { startVirtualDisplay } from './virtual-display.mjs';

export const SIZES = [16, 24, 32, 48, 64, 96, 128, 256, 512, 1024];

const folder = path.join(root, 'build/icons');

async function draw(svg) {
  const screen = process.platform === 'linux' ? await startVirtualDisplay() : undefined;
  const args = process.getuid?.() === 0 ? ['--no-sandbox', root] : [root];
  const env = { ...process.env, ...(screen === undefined ? {} : { DISPLAY: screen.display }) };
  const app = await _electron.launch({ executablePath: electronPath(), args, env });
  // An empty page: the app's own may not load pictures of data addresses.
  const drawn = app.context().waitForEvent('page');
  await app.evaluate(({ BrowserWindow }) =>
    new BrowserWindow({ show: false }).loadURL('about:blank'),
  );
  const page = await drawn;
  const pictures = await page.evaluate(drawInPage, { svg, sizes: SIZES });
  await app.close();
  screen?.stop();
  return new Map(pictures.map(([size, base64]) => [size, Buffer.from(base64, 'base64')]));
}

/* global Image, document, btoa */
async function drawInPage({ svg, sizes }) {
  const image = new Image();
  image.src = `data:image/svg+xml;base64,${btoa(svg)}`;
  await image.decode();
  return sizes.map((size) => {
    const canvas = document.createElement('canvas');
    canvas.width = canvas.height = size;
    canvas.getContext('2d').drawImage(image, 0, 0, size, size);
    return [size, canvas.toDataURL('image/png').split(',')[1]];
  });
}

const pngs = await draw(readFileSync(path.join(folder, 'quantscope.svg'), 'utf8'));
rmSync(path.join(folder, 'png'), { recursive: true, force: true });
mkdirSync(path.join(folder, 'png'));
for (const [size, png] of pngs) writeFileSync(path.join(folder, `png/${size}x${size}.png`), png);
writeFileSync(path.join(folder, 'icon.ico'), toIco(pngs));
writeFileSync(path.join(folder, 'icon.icns'), toIcns(pngs));
