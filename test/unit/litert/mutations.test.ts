import * as fs from 'node:fs';
import { expect, test } from 'vitest';
import { openModel } from '../../../electron/engine/formats/registry.ts';
import { AppError } from '../../../shared/errors.ts';
import { planModel } from '../../../shared/plan.ts';
import { findPreset } from '../../../shared/recipe.ts';
import { LITERT_MODELS } from '../../helpers/litert-models.ts';
import { randomNumbers } from '../../helpers/random.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';
import { readGolden } from '../quantize/goldens.ts';

const { models } = readGolden<{ models: { name: string; float: string }[] }>('litert_models.json');

const folder = temporaryFolder();

/** What readers stumble over. */
const WORDS = [0, 1, 2, 3, 4, 255, 65535, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 4, 2 ** 32 - 1];

/** The file with one to four of its words, half-words or bytes changed, or cut, or a part of it in another place. */
function mutated(source: Uint8Array, random: () => number): Uint8Array {
  const bytes = Uint8Array.from(source);
  const view = new DataView(bytes.buffer);
  const place = (width: number): number =>
    Math.floor((random() * (bytes.length - width)) / width) * width;
  for (let change = 0; change < 1 + random() * 4; change++) {
    const kind = Math.floor(random() * 6);
    const word = WORDS[Math.floor(random() * WORDS.length)]!;
    if (kind === 0) bytes[place(1)] = random() * 256;
    else if (kind === 1) view.setUint16(place(2), word & 0xffff, true);
    else if (kind === 2) view.setUint32(place(4), word, true);
    else if (kind === 3) {
      const at = place(4);
      view.setUint32(at, view.getUint32(at, true) + Math.floor(random() * 9) - 4, true);
    } else if (kind === 4) bytes.copyWithin(place(4), place(4), place(4) + 64);
    else if (random() < 0.2) return bytes.slice(0, place(1));
  }
  return bytes;
}

/** Opens a file and lays out every kind of export. */
function exercise(file: string): void {
  const opened = openModel(file);
  try {
    for (const [mode, name] of [
      ['qdq', 'uint8'],
      ['dynamic', 'litert-dynamic'],
      ['float', 'float16'],
    ] as const) {
      const recipe = { ...findPreset(name)!, minElements: 0 };
      opened.layout(planModel(opened.model.tensors, recipe), mode, recipe, 'out.tflite');
    }
  } finally {
    opened.close();
  }
}

const sources: readonly (readonly [string, Uint8Array])[] = [
  ...models.map(({ name, float }) => [name, Buffer.from(float, 'base64')] as const),
  ['sparse', fs.readFileSync(LITERT_MODELS.faceSparse)],
  ['float16', fs.readFileSync(LITERT_MODELS.selfie)],
];

test.each(sources)(
  'mutations of %s open and export, or are refused with file and field',
  (name, source) => {
    const random = randomNumbers(name.length);
    // The structure of large files is a small part of them: fewer mutations find it.
    const count = source.length > 100_000 ? 150 : 400;
    let refused = 0;
    for (let round = 0; round < count; round++) {
      const file = writeFile(folder, mutated(source, random), 'mutated.tflite');
      try {
        exercise(file);
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
        expect(error.details.file).toBe(file);
        expect(error.details.field ?? error.details.offset).toBeDefined();
        expect(error.code).not.toBe('INTERNAL');
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(0);
  },
);
