import * as fs from 'node:fs';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import type { Recipe } from '../../../shared/recipe.ts';
import { findPreset } from '../../../shared/presets.ts';
import { Session } from '../../../electron/engine/session.ts';
import { testPool } from '../../helpers/engine.ts';
import { answer, CORPUS, modelFiles } from '../../helpers/onnx-corpus.ts';
import { outputSqnr } from '../../helpers/run-onnx.ts';
import { temporaryFolder } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const pool = testPool();
const never = new AbortController().signal;
const half: Recipe = { ...findPreset('float16')!, minElements: 0 };

async function exportAs(file: string, recipe: Recipe): Promise<string> {
  const session = Session.open(file, pool);
  const out = path.join(folder, 'out.onnx');
  try {
    await session.export(recipe, 'float', out, { signal: never });
    return out;
  } finally {
    session.close();
  }
}

test('every graph of the ONNX corpus comes out of a no-op export byte for byte, and of a float export with the same answers', async () => {
  let [changed, compared] = [0, 0];
  for (const file of modelFiles(CORPUS)) {
    const source = fs.readFileSync(file);
    expect(
      Buffer.compare(fs.readFileSync(await exportAs(file, { ...half, default: null })), source),
      file,
    ).toBe(0);
    const out = await exportAs(file, half);
    if (Buffer.compare(fs.readFileSync(out), source) === 0) continue;
    changed++;
    const before = await answer(file);
    if (before === null) continue;
    const after = await answer(file, out);
    expect(after, file).not.toBeNull();
    compared++;
    for (const [name, values] of Object.entries(before))
      expect(outputSqnr(values, after![name]!), `${file} ${name}`).toBeGreaterThan(40);
  }
  // Few of these tiny graphs have a weight that shrinks; each that does is compared.
  expect(changed).toBeGreaterThan(0);
  expect(compared).toBe(changed);
}, 240_000);
