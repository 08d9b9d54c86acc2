import * as fs from 'node:fs';
import * as path from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { FORMATS } from '../../../electron/engine/formats/registry.ts';
import { isRecipeFile, RECIPE_EXTENSION, recipeFileStem } from '../../../shared/recipe-file.ts';
import { root } from '../../helpers/root.ts';

interface Packaging {
  readonly DESKTOP_ENTRY: string;
  readonly MIME_TYPES: string;
  readonly builderConfig: (
    electron: object,
    output: string,
  ) => { fileAssociations: { ext: string }[] };
}

async function packaging(file: string): Promise<Packaging> {
  return (await import(pathToFileURL(path.join(root, 'build', file)).href)) as Packaging;
}

test('every package opens recipes and the files of every format by a double click', async () => {
  const { builderConfig } = await packaging('electron-builder.mjs');
  const { DESKTOP_ENTRY, MIME_TYPES } = await packaging('debian.mjs');
  const associated = builderConfig({ version: '1' }, 'out').fileAssociations.map(({ ext }) => ext);
  const own = FORMATS.map(({ extensions }) => extensions[0]);
  expect(associated.sort()).toEqual([...own, RECIPE_EXTENSION].sort());
  for (const ext of associated) expect(MIME_TYPES).toContain(`<glob pattern="*.${ext}"/>`);
  const command = fs.readFileSync(path.join(root, 'build/bin/quantscope'), 'utf8');
  for (const ext of associated) expect(command).toMatch(new RegExp(`1:\\*\\.${ext}[ )]`));
  expect(DESKTOP_ENTRY).toContain('application/x-quantscope-recipe;');
  // So that an editor of JSON opens it, too.
  expect(MIME_TYPES).toMatch(/x-quantscope-recipe">.*<sub-class-of type="application\/json"\/>/);
});

test.each([
  ['mine.qrecipe', true, 'mine'],
  ['Mine.QRECIPE', true, 'Mine'],
  ['mine.json', true, 'mine'],
  ['a.b.json', true, 'a.b'],
  ['model.safetensors.index.json', false, 'model.safetensors.index'],
  ['model.safetensors.index.fp16.json', false, 'model.safetensors.index.fp16'],
  ['qrecipe', false, 'qrecipe'],
  ['mine.qrecipe.onnx', false, 'mine.qrecipe.onnx'],
])('%s is a recipe by its name: %s, called %s', (name, isRecipe, stem) => {
  expect(isRecipeFile(name)).toBe(isRecipe);
  expect(recipeFileStem(name)).toBe(stem);
});
