import * as fs from 'node:fs';
import * as path from 'node:path';
import { writeWhole, writeWholeLater } from '../files/atomic-file.ts';

/** Two recipes and the rest of the settings are far smaller; a larger file is not ours. */
const MAX_BYTES = 32 << 20;

/** What each file is to hold and does not yet. */
const waiting = new Map<string, unknown>();
let isWriting = false;
/** Of the write that is under way. */
let abort = new AbortController();

/** A small JSON file of our own, or null when it is missing, spoilt or huge: settings are never worth a failure. */
export function readJson<T>(file: string): T | null {
  if (waiting.has(file)) return waiting.get(file) as T;
  try {
    const stat = fs.statSync(file);
    if (!stat.isFile() || stat.size > MAX_BYTES) return null;
    return JSON.parse(fs.readFileSync(file, 'utf8')) as T;
  } catch {
    return null;
  }
}

/**
 * Write it whole or not at all, soon: a disk takes up to a tenth of a second for it, in which the windows would stand
 * still. A full disk loses the setting and nothing else.
 * @param value readonly data, which is not changed afterwards
 */
export function writeJson(file: string, value: unknown): void {
  waiting.set(file, value);
  if (!isWriting) void writeWaiting();
}

/** Write it before going on: what must be on the disk before something else happens. */
export function writeJsonNow(file: string, value: unknown): void {
  waiting.delete(file);
  try {
    writeWhole(file, textFor(file, value), []);
  } catch (error) {
    say(file, error);
  }
}

/** Write now whatever waits, at the end of the app. */
export function finishWriting(): void {
  // It may be of an older value.
  abort.abort();
  for (const [file, value] of waiting) writeJsonNow(file, value);
}

/** One file after the other; of a file that changes meanwhile, the last value. */
async function writeWaiting(): Promise<void> {
  isWriting = true;
  for (let [next] = waiting; next !== undefined; [next] = waiting) {
    const [file, value] = next;
    abort = new AbortController();
    try {
      await writeWholeLater(file, textFor(file, value), abort.signal);
    } catch (error) {
      if (!abort.signal.aborted) say(file, error);
    }
    if (waiting.get(file) === value) waiting.delete(file);
  }
  isWriting = false;
}

function textFor(file: string, value: unknown): string {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  return JSON.stringify(value);
}

function say(file: string, error: unknown): void {
  console.error(`${path.basename(file)} was not saved: ${String(error)}`);
}
