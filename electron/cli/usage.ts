import * as fs from 'node:fs';
import { parseArgs, type ParseArgsConfig } from 'node:util';
import { AppError, ioError, printable } from '../../shared/errors.ts';
import {
  findPreset,
  MAX_RECIPE_BYTES,
  PRESETS,
  recipeFromText,
  type Recipe,
} from '../../shared/recipe.ts';
import { EXPORT_MODES, type ExportMode } from '../../shared/protocol.ts';
import { fileKey, type InputFile } from '../files/atomic-file.ts';

/** The command line itself is wrong: exit status 2. */
export class UsageError extends Error {}

type Options = NonNullable<ParseArgsConfig['options']>;
type Values = Readonly<Record<string, string | boolean | undefined>>;

/**
 * The positional arguments, as many as `names` says, and the options of a command.
 * @throws UsageError
 */
export function readArguments(
  args: string[],
  options: Options,
  names: readonly string[] = ['MODEL'],
): { model: string; positionals: readonly string[]; values: Values } {
  try {
    const parsed = parseArgs({ args, options, allowPositionals: true, strict: true });
    const { positionals } = parsed;
    const missing = names[positionals.length];
    if (missing !== undefined) throw new UsageError(`${missing} is missing`);
    const extra = positionals[names.length];
    if (extra !== undefined)
      throw new UsageError(`${names.join(' ')} only, not also ${printable(extra)}`);
    return { model: positionals[0]!, positionals, values: parsed.values as Values };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** Whether --json is given to a command that takes nothing else. @throws UsageError */
export function wantsJson(args: string[]): boolean {
  try {
    return parseArgs({ args, options: { json: { type: 'boolean' } } }).values.json === true;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

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
    `--${name} is a whole number from ${least} to ${most}, not ${printable(String(text))}`,
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
  const names = PRESETS.map((recipe) => recipe.name).join(', ');
  let stat: fs.Stats;
  try {
    stat = fs.statSync(nameOrFile);
  } catch (error) {
    if (!/[./\\]/.test(nameOrFile))
      throw new AppError(
        'BAD_RECIPE',
        'no preset has that name',
        { field: 'recipe', found: nameOrFile, expected: names },
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

function readText(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch (error) {
    throw ioError('cannot be read as a recipe', file, error);
  }
}
