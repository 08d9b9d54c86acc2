import * as fs from 'node:fs';
import * as path from 'node:path';
import { writeWhole } from '../files/atomic-file.ts';

/** A small JSON file of our own, or null when it is missing or spoilt: settings are never worth a failure. */
export function readJson<T>(file: string): T | null {
  try {
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
