import { readFileSync } from 'node:fs';
import path from 'node:path';
import { root } from './paths.mjs';

function versionIn(folder) {
  return JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8')).version;
}

/** The version of the app, which package.json alone holds. */
export const version = versionIn(root);

/** The version of an installed package. */
export function packageVersion(name) {
  return versionIn(path.join(root, 'node_modules', name));
}
