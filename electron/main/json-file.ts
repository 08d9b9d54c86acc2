import * as fs from 'node:fs';
import * as path from 'node:path';
import { writeWhole } from '../files/atomic-file.ts';

/** Two recipes and the rest of the settings are far smaller; a larger file is not ours. */
const MAX_BYTES = 32 << 20;

/** A small JSON file of our own, or null when it is missing, spoilt or huge: settings are never worth a failure. */
export function readJson<T>(file: string): T | null {
  try {
    const stat = fs.statSync(file);
    if (!stat.isFile() || stat.size > MAX_BYTES) return null;
    return JSON.parse(fs.readFileSync(file, 'utf8')) as T;
  } catch {
    return null;
  }
}

/** Write it whole or not at all. A full disk loses the setting and nothing else. */
export function writeJson(file: string, value: unknown): void {
  try {
    fs.mkdirSync(path.dirname(file), { recursive: true });
    writeWhole(file, JSON.stringify(value), []);
  } catch (error) {
    console.error(`${path.basename(file)} was not saved: ${String(error)}`);
  }
}
