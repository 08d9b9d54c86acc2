import * as fs from 'node:fs';
import * as path from 'node:path';
import { app, dialog, type BrowserWindow } from 'electron';
import { AppError, ioError, toErrorData } from '../../shared/errors.ts';
import type { MainEvent, RecipeFile } from '../../shared/ipc.ts';
import { MAX_RECIPE_BYTES, parseRecipe, RECIPE_EXTENSION } from '../../shared/recipe-file.ts';
import { writeWhole, type InputFile } from '../files/atomic-file.ts';

const FILTERS = [{ name: 'Recipes', extensions: [RECIPE_EXTENSION, 'json'] }];

/** Ask for a recipe and read it; what it says is for the page to check. null when the person changed their mind. */
export async function openRecipe(window: BrowserWindow): Promise<RecipeFile | null> {
  const { canceled, filePaths } = await dialog.showOpenDialog(window, {
    title: 'Open a recipe',
    properties: ['openFile'],
    filters: FILTERS,
  });
  const file = canceled ? undefined : filePaths[0];
  return file === undefined ? null : { name: path.basename(file), text: readText(file) };
}

/** A recipe file that the system handed the app, for the page. */
export function recipeEvent(file: string): MainEvent {
  try {
    const recipe = { name: path.basename(file), text: readText(file) };
    return { type: 'open-recipe', recipe: { ok: true, value: recipe } };
  } catch (error) {
    return { type: 'open-recipe', recipe: { ok: false, error: toErrorData(error) } };
  }
}

function readText(file: string): string {
  try {
    const stat = fs.statSync(file);
    if (stat.isFile() && stat.size <= MAX_RECIPE_BYTES) return fs.readFileSync(file, 'utf8');
    throw new AppError('BAD_RECIPE', 'cannot be a recipe', {
      file,
      found: stat.isFile() ? `${stat.size} bytes` : 'no regular file',
      expected: `a JSON file of at most ${MAX_RECIPE_BYTES} bytes`,
    });
  } catch (error) {
    throw ioError('cannot be read', file, error);
  }
}

/**
 * Ask where to save a recipe, and write it whole or not at all.
 * @param sources files of open models, none of which may be written over: an index is a JSON file, too
 * @returns the file's name
 */
export async function saveRecipe(
  window: BrowserWindow,
  value: unknown,
  sources: () => readonly InputFile[],
): Promise<string | null> {
  const recipe = parseRecipe(value);
  const stem = recipe.name.replace(/[^\w-]+/g, '-').replace(/^-+|-+$/g, '');
  const { canceled, filePath } = await dialog.showSaveDialog(window, {
    title: 'Save the recipe',
    defaultPath: path.join(
      app.getPath('documents'),
      `${stem === '' ? 'recipe' : stem}.${RECIPE_EXTENSION}`,
    ),
    filters: FILTERS,
  });
  if (canceled || filePath === undefined || filePath === '') return null;
  writeWhole(filePath, `${JSON.stringify(recipe, null, 2)}\n`, sources());
  return path.basename(filePath);
}
