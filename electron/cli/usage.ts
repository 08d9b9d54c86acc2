import * as fs from 'node:fs';
import { AppError, ioError, printable } from '../../shared/errors.ts';
import type { Recipe } from '../../shared/recipe.ts';
import { MAX_RECIPE_BYTES, recipeFromText } from '../../shared/recipe-file.ts';
import { findPreset, PRESETS } from '../../shared/presets.ts';
import { nearestOf } from '../../shared/nearest-word.ts';
import { bytesOfSize } from '../../shared/size.ts';
import { EXPORT_MODES, type ExportMode } from '../../shared/exports.ts';
import { fileKey, type InputFile } from '../files/atomic-file.ts';
import { UsageError, type Values } from './command.ts';

/** An option that is a whole number within limits. @throws UsageError */
export function wholeNumber(
  values: Values,
  name: string,
  fallback: number,
  least: number,
  most: number,
): number {
  const text = values[name];
  if (text === undefined) return fallback;
  const value = Number(text);
  if (typeof text === 'string' && /^\d+$/.test(text) && value >= least && value <= most)
    return value;
  throw new UsageError(
    `--${name} must be a whole number from ${least} to ${most}, found ${printable(String(text))}`,
  );
}

/** An option that is a size: 25MB is 25e6 bytes, 24MiB 24 * 2^20, and a plain number bytes. @throws UsageError */
export function byteSize(values: Values, name: string): number {
  const text = required(values, name);
  const bytes = bytesOfSize(text);
  if (bytes !== null) return bytes;
  throw new UsageError(
    `--${name} must be a size such as 25MB, 24MiB or 25000000, found ${printable(text)}`,
  );
}

/** The export mode asked for with --mode; undefined where none is. @throws UsageError */
export function modeOf(values: Values): ExportMode | undefined {
  const asked = EXPORT_MODES.find((known) => known === values['mode']);
  if (asked === undefined && values['mode'] !== undefined)
    throw new UsageError(`--mode must be one of ${EXPORT_MODES.join(', ')}`);
  return asked;
}

/** A required option's text. @throws UsageError */
export function required(values: Values, name: string): string {
  const value = values[name];
  if (typeof value !== 'string' || value === '') throw new UsageError(`--${name} is missing`);
  return value;
}

/** The files among recipes named on the command line: what is written must not be one of them. */
export function recipeFiles(...namesOrFiles: readonly unknown[]): InputFile[] {
  return namesOrFiles.flatMap((name) => {
    const key = typeof name === 'string' && findPreset(name) === undefined ? fileKey(name) : null;
    return key === null ? [] : [{ identity: key, role: 'the recipe' as const }];
  });
}

/** A recipe by preset name or from a file. @throws AppError BAD_RECIPE or NOT_A_FILE */
export function loadRecipe(nameOrFile: string): Recipe {
  const preset = findPreset(nameOrFile);
  if (preset !== undefined) return preset;
  let stat: fs.Stats;
  try {
    stat = fs.statSync(nameOrFile);
  } catch (error) {
    if (!/[./\\]/.test(nameOrFile))
      throw new AppError(
        'BAD_RECIPE',
        'no preset has that name',
        { field: 'recipe', found: nameOrFile, expected: presetLike(nameOrFile) },
        error,
      );
    throw ioError('cannot be opened as a recipe', nameOrFile, error);
  }
  if (!stat.isFile() || stat.size > MAX_RECIPE_BYTES)
    throw new AppError('BAD_RECIPE', 'cannot be a recipe', {
      file: nameOrFile,
      found: stat.isFile() ? `${stat.size} bytes` : 'no regular file',
      expected: `a JSON file of at most ${MAX_RECIPE_BYTES} bytes`,
    });
  return recipeFromText(readText(nameOrFile), nameOrFile);
}

function presetLike(word: string): string {
  const nearest = nearestOf(
    word.slice(0, 40),
    PRESETS.map(({ name }) => name),
  );
  return nearest === undefined
    ? 'a preset that quantscope recipes lists'
    : `${nearest}, or another preset that quantscope recipes lists`;
}

function readText(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch (error) {
    throw ioError('cannot be read as a recipe', file, error);
  }
}
