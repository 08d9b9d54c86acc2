import { readFileSync } from 'node:fs';
import path from 'node:path';
import { root } from './paths.mjs';

/** The version of the app, which package.json alone holds. */
export const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
