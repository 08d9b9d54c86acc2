import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { root } from './paths.mjs';

/*
 * The licences of what is shipped: of what Vite bundled, by Vite's own list, and of what reaches the
 * package in another way. Electron brings its own and Chromium's.
 */

/** Licences that ask for their text to be passed on, and for nothing of the code that stands beside. */
const ALLOWED = new Set([
  'MIT',
  'ISC',
  '0BSD',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'Apache-2.0',
  'OFL-1.1',
]);

/** Packages that Vite does not see; a text of ours where the package has none. */
const OTHERS = [
  // A font, named by a style sheet.
  { name: '@fontsource-variable/inter' },
  // Its standard library is compiled into kernels.wasm.
  { name: 'assemblyscript' },
  // Shipped as they are. The text has the notices of what is linked into the runtime, too.
  { name: 'onnxruntime-node', text: 'build/licences/onnxruntime-1.30.0.txt' },
  // Its WebAssembly; the package has no text of its own.
  { name: '@litertjs/core', text: 'build/licences/litert-2.5.3.txt' },
  { name: 'onnxruntime-common', text: 'build/licences/onnxruntime-1.30.0.txt' },
];

/** Licences that a package names in its licence file alone. */
const READ = new Map([['svelte-toolbelt', 'MIT']]);

/** Name, version, licence and its text of a package that Vite does not see. */
function entryOf({ name, text }) {
  const folder = path.join(root, 'node_modules', name);
  const { version, license } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'));
  const files =
    text === undefined
      ? ['LICENSE', 'NOTICE'].map((file) => path.join(folder, file))
      : [path.join(root, text)];
  const texts = files.filter((file) => existsSync(file)).map((file) => readFileSync(file, 'utf8'));
  return { name, version, identifier: license, text: texts.join('\n').trim() };
}

/** Why packages may not be shipped: one line for each that has no known licence or no text. */
export function licenceFaults(entries) {
  return entries.flatMap(({ name, version, identifier, text }) => {
    const alternatives = (identifier ?? '').replace(/^\(|\)$/g, '').split(' OR ');
    if (!alternatives.some((each) => ALLOWED.has(each)))
      return [
        `${name} ${version}: licence is ${identifier ?? 'missing'}, expected one of ${[...ALLOWED].join(', ')}`,
      ];
    return text ? [] : [`${name} ${version}: the text of its licence is missing`];
  });
}

/**
 * The third-party licences in full, each text once.
 * @param bundled Vite's lists of what it bundled
 * @throws when something may not be shipped
 */
export function licencesText(bundled) {
  const byPackage = new Map(
    [...bundled.flat(), ...OTHERS.map(entryOf)].map((entry) => [
      `${entry.name} ${entry.version}`,
      { ...entry, identifier: entry.identifier ?? READ.get(entry.name) },
    ]),
  );
  const entries = [...byPackage.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  const faults = licenceFaults(entries);
  if (faults.length > 0) throw new Error(faults.join('\n'));
  const byText = new Map();
  for (const entry of entries) byText.set(entry.text, [...(byText.get(entry.text) ?? []), entry]);
  const line = '='.repeat(80);
  const parts = [...byText].map(([text, packages]) => {
    const names = packages.map(
      ({ name, version, identifier }) => `${name} ${version} (${identifier})`,
    );
    return `${line}\n${names.join('\n')}\n${line}\n\n${text}\n`;
  });
  return `Quantscope contains the work of others, under these licences.\n\n${parts.join('\n')}`;
}
