// npm run test:reproducible: packages twice, under another umask and at another time, and compares every
// file of the app and every package.
import { createHash } from 'node:crypto';
import { lstatSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { electronDistribution } from './electron-runtime.mjs';
import { walk } from './package-files.mjs';
import { root } from './paths.mjs';
import { run } from './run.mjs';

/** Paths and contents of all that is built, and within the app the modes. */
function build(umask) {
  process.umask(umask);
  run(process.execPath, ['build/package.mjs']);
  const folder = electronDistribution().isFallback ? 'release/for-testing' : 'release';
  const output = path.join(root, folder);
  return new Map(
    [...walk(output)]
      // What electron-builder was told, with the time.
      .filter((file) => lstatSync(file).isFile() && path.basename(file) !== 'builder-debug.yml')
      .map((file) => {
        const hash = createHash('sha256').update(readFileSync(file)).digest('hex');
        const name = path.relative(output, file);
        const mode = name.includes(path.sep) ? lstatSync(file).mode.toString(8) : '';
        return [name, `${mode} ${hash}`];
      }),
  );
}

const first = build(0o022);
const second = build(0o077);
const differing = [...new Set([...first.keys(), ...second.keys()])].filter(
  (file) => first.get(file) !== second.get(file),
);
for (const file of differing) console.error(`differs: ${file}`);
console.log(`${first.size - differing.length} files are the same, ${differing.length} differ`);
process.exitCode = differing.length === 0 ? 0 : 1;
