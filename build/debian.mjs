import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { FILE_TYPES } from './electron-builder.mjs';
import { setTimes, sizeOf } from './package-files.mjs';
import { root } from './paths.mjs';

/*
 * The Debian package, by dpkg-deb: electron-builder would download fpm, a bundle of Ruby, for it, whose
 * packages carry the time of the build. It has no scripts: dpkg's own triggers update the caches of
 * desktop entries, types and icons, and what it installs goes when it is removed.
 */

/** Other names for libraries that took t64 into theirs (Debian 13, Ubuntu 24.04). */
const DEPENDS = [
  'libasound2 | libasound2t64',
  'libatk-bridge2.0-0 | libatk-bridge2.0-0t64',
  'libgbm1',
  'libgtk-3-0 | libgtk-3-0t64',
  'libnss3',
  // Chromium opens it by its name, so that no linker says that it is missing.
  'libx11-xcb1',
  'libxss1',
  'xdg-utils',
];

const SUMMARY = 'workbench for post-training quantization';
const DESCRIPTION = [
  'See every layer of a neural network (ONNX, safetensors, LiteRT), choose how',
  'it is quantized, compare two settings, verify the result in onnxruntime and',
  'export a copy. With a window and a command line.',
];

function control(version, kilobytes) {
  return `${[
    'Package: quantscope',
    `Version: ${version}`,
    'Architecture: amd64',
    'Maintainer: The Quantscope developers <noreply@quantscope.invalid>',
    `Installed-Size: ${kilobytes}`,
    `Depends: ${DEPENDS.join(', ')}`,
    'Recommends: nodejs (>= 18)',
    'Section: science',
    'Priority: optional',
    `Description: ${SUMMARY}`,
    ...DESCRIPTION.map((line) => ` ${line}`),
  ].join('\n')}\n`;
}

export const DESKTOP_ENTRY = `${[
  '[Desktop Entry]',
  'Type=Application',
  'Name=Quantscope',
  'GenericName=Quantization workbench',
  'Comment=See what quantization costs and saves, layer by layer',
  'Exec=/opt/quantscope/quantscope %f',
  'Icon=quantscope',
  'Terminal=false',
  'Categories=Development;',
  `MimeType=${FILE_TYPES.map(({ mimeType }) => `${mimeType};`).join('')}`,
  'StartupWMClass=quantscope',
].join('\n')}\n`;

export const MIME_TYPES = `${[
  '<?xml version="1.0" encoding="UTF-8"?>',
  '<mime-info xmlns="http://www.freedesktop.org/standards/shared-mime-info">',
  ...FILE_TYPES.map(
    ({ mimeType, name, ext, isJson }) =>
      `  <mime-type type="${mimeType}"><comment>${name}</comment>${isJson ? '<sub-class-of type="application/json"/>' : ''}<glob pattern="*.${ext}"/></mime-type>`,
  ),
  '</mime-info>',
].join('\n')}\n`;

/**
 * Build a Debian package of the unpacked app.
 * @param app the folder of the packaged app
 * @param file the package to write
 * @param options the app's version, and xz's level: 6 takes minutes, 1 a fifth of them
 */
export function buildDeb(app, file, { version, level }) {
  const stage = `${file}.stage`;
  rmSync(stage, { recursive: true, force: true });
  try {
    layOut(app, stage);
    mkdirSync(path.join(stage, 'DEBIAN'));
    writeFileSync(
      path.join(stage, 'DEBIAN/control'),
      control(version, Math.ceil(sizeOf(stage) / 1024)),
    );
    setTimes(stage);
    // One thread: the number of threads changes where the stream is cut, and so its bytes.
    execFileSync(
      'dpkg-deb',
      ['--root-owner-group', '-Zxz', `-z${level}`, '--threads-max=1', '--build', stage, file],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
  } finally {
    rmSync(stage, { recursive: true, force: true });
  }
}

/** Everything at the place where it is installed. */
function layOut(app, stage) {
  const place = (target) => {
    const absolute = path.join(stage, target);
    mkdirSync(path.dirname(absolute), { recursive: true });
    return absolute;
  };
  cpSync(app, place('opt/quantscope'), { recursive: true, verbatimSymlinks: true });
  // Where the kernel lets nobody but root make namespaces, Chromium's sandbox needs it so.
  chmodSync(path.join(stage, 'opt/quantscope/chrome-sandbox'), 0o4755);
  symlinkSync('/opt/quantscope/resources/bin/quantscope', place('usr/bin/quantscope'));
  writeFileSync(place('usr/share/applications/quantscope.desktop'), DESKTOP_ENTRY);
  writeFileSync(place('usr/share/mime/packages/quantscope.xml'), MIME_TYPES);
  const icons = path.join(root, 'build/icons');
  for (const name of readdirSync(path.join(icons, 'png'))) {
    const size = path.parse(name).name;
    copyFileSync(
      path.join(icons, 'png', name),
      place(`usr/share/icons/hicolor/${size}/apps/quantscope.png`),
    );
  }
  copyFileSync(
    path.join(icons, 'quantscope.svg'),
    place('usr/share/icons/hicolor/scalable/apps/quantscope.svg'),
  );
  writeFileSync(place('usr/share/doc/quantscope/copyright'), copyright());
}

function copyright() {
  return `${readFileSync(path.join(root, 'LICENSE'), 'utf8')}
The licences of what it contains are in /opt/quantscope: LICENSES.third-party.txt,
LICENSE.electron.txt and LICENSES.chromium.html.
`;
}
