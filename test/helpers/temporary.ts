import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterAll } from 'vitest';

/** A folder of the test file's own, removed after its tests. */
export function temporaryFolder(): string {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'quantscope-test-'));
  afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));
  return folder;
}

let count = 0;

/** Write bytes to a new file in a folder. */
export function writeFile(
  folder: string,
  bytes: Uint8Array,
  name = `model-${count++}.onnx`,
): string {
  const file = path.join(folder, name);
  fs.writeFileSync(file, bytes);
  return file;
}
