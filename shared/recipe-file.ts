import * as v from 'valibot';
import { anObject, calibrationFields, imageFields } from './calibration-settings.ts';
import { AppError } from './errors.ts';
import { JsonReader } from './json-reader.ts';
import { nearestOf } from './nearest-word.ts';
import { compilePattern, exactNames, MAX_PATTERN_LENGTH, type NamePattern } from './patterns.ts';
import {
  ACCURACY_LEVELS,
  ACTIVATION_DTYPES,
  BORDER_TYPES,
  type Recipe,
  type Rule,
} from './recipe.ts';
import { ALGORITHMS, SCHEME_DTYPES } from './scheme.ts';

/** What recipe files end with, so that the system opens them with the app. They are JSON, and plain .json is read as well. */
export const RECIPE_EXTENSION = 'qrecipe';

const ENDINGS = new RegExp(`\\.(${RECIPE_EXTENSION}|json)$`, 'i');

/** Whether a file is a recipe by its name: of its own extension, or JSON that is no index of a checkpoint. */
export function isRecipeFile(name: string): boolean {
  return ENDINGS.test(name) && !/\.index\.([\w.-]+\.)?json$/i.test(name);
}

/** What a recipe file is called, without its extension. */
export function recipeFileStem(name: string): string {
  return name.replace(ENDINGS, '');
}

/** Checks RangeMethod. */
export const rangeMethod = v.union([
  v.picklist(['minmax', 'mse', 'entropy']),
  v.strictObject({ percentile: v.pipe(v.number(), v.gtValue(0), v.maxValue(100)) }),
  v.strictObject({
    clip: v.pipe(
      v.tuple([
        v.pipe(v.number(), v.finite('a finite number')),
        v.pipe(v.number(), v.finite('a finite number')),
      ]),
      v.check(([low, high]) => low < high, 'a low end below the high one'),
    ),
  }),
]);

const schemeFields = {
  dtype: v.picklist(SCHEME_DTYPES),
  symmetric: v.boolean(),
  granularity: v.union([
    v.picklist(['tensor', 'channel']),
    v.strictObject({ block: v.pipe(v.number(), v.integer(), v.minValue(16), v.maxValue(65536)) }),
  ]),
  range: rangeMethod,
  signedScale: v.optional(v.boolean()),
  narrowRange: v.optional(v.boolean()),
  powerOfTwo: v.optional(v.boolean()),
  rounding: v.optional(v.picklist(['even', 'zero'])),
  algorithm: v.optional(v.picklist(ALGORITHMS)),
};

const schemeSchema = v.strictObject(schemeFields);

const activationFields = {
  dtype: v.picklist(ACTIVATION_DTYPES),
  symmetric: v.boolean(),
  range: schemeFields.range,
  rangeByOutputs: v.optional(v.boolean()),
  biasCorrection: v.optional(v.boolean()),
  operators: v.optional(v.pipe(v.array(v.pipe(v.string(), v.maxLength(200))), v.maxLength(1000))),
  io: v.optional(v.picklist(BORDER_TYPES)),
};

/** A rule that names a range has it; what outputs lose is measured for the whole model. */
const { rangeByOutputs: _, ...ruleActivationFields } = activationFields;

const recipeSchema = v.strictObject({
  version: v.literal(1),
  name: v.pipe(v.string(), v.maxLength(200)),
  default: v.nullable(schemeSchema),
  calibration: v.optional(anObject(v.strictObject(calibrationFields))),
  activations: v.optional(v.nullable(v.strictObject(activationFields))),
  minElements: v.optional(v.pipe(v.number(), v.safeInteger(), v.minValue(0)), 1024),
  accuracyLevel: v.optional(v.picklist(ACCURACY_LEVELS)),
  equalize: v.optional(v.union([v.boolean(), v.literal('byOutputs')])),
  dropMetadata: v.optional(v.boolean()),
  prepare: v.optional(v.boolean()),
  rules: v.optional(
    v.array(
      v.strictObject({
        match: anObject(
          v.strictObject({
            name: v.optional(v.pipe(v.string(), v.maxLength(MAX_PATTERN_LENGTH))),
            layer: v.optional(v.pipe(v.string(), v.maxLength(MAX_PATTERN_LENGTH))),
            op: v.optional(v.pipe(v.string(), v.maxLength(MAX_PATTERN_LENGTH))),
            role: v.optional(v.pipe(v.string(), v.maxLength(MAX_PATTERN_LENGTH))),
          }),
        ),
        scheme: v.optional(v.nullable(anObject(v.partial(schemeSchema)))),
        activations: v.optional(
          v.nullable(anObject(v.partial(v.strictObject(ruleActivationFields)))),
        ),
      }),
    ),
    [],
  ),
});

/** A rule for each layer of the largest models; rules of exact names, operators and roles are looked up. */
export const MAX_RULES = 100_000;
/** Rules that search names by a regular expression: each is tried on every tensor, 0.5 µs of time. */
export const MAX_SEARCHES = 200;
/** Instructions of all regular expressions; the time that they take is limited by compileRules. */
export const MAX_SEARCH_SIZE = 4000;

/** No recipe that a person wrote is near this. */
export const MAX_RECIPE_BYTES = 16 << 20;

/**
 * A recipe from the text of a file.
 * @throws AppError BAD_RECIPE naming what is wrong, and the file. A key that comes twice is wrong:
 * JSON.parse keeps the last, which may not be the one that its writer looks at.
 */
export function recipeFromText(text: string, file: string): Recipe {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new AppError(
      'BAD_RECIPE',
      'is not JSON',
      { file, field: 'recipe', found: (error as Error).message, expected: 'a recipe' },
      error,
    );
  }
  new JsonReader(text, ({ summary, path, found, expected }) => {
    const field = path.length === 0 ? 'recipe' : path.join('.');
    throw new AppError('BAD_RECIPE', summary, { file, field, found, expected });
  }).skip();
  return parseRecipe(value, file);
}

/**
 * A recipe from parsed JSON, checked field by field.
 * @throws AppError BAD_RECIPE naming the field, what was found and what was expected.
 */
export function parseRecipe(value: unknown, file?: string): Recipe {
  const result = v.safeParse(recipeSchema, value);
  if (!result.success) {
    // A misspelt field is missing, too: what it is called says more.
    const unknown = result.issues.find(({ expected }) => expected === 'never');
    if (unknown !== undefined) throw unknownField(unknown, file);
    const issue = result.issues[0];
    const field = v.getDotPath(issue) ?? 'recipe';
    if (issue.received === 'undefined')
      throw new AppError('BAD_RECIPE', 'the recipe must have this field', { file, field });
    throw new AppError('BAD_RECIPE', 'is not valid in a recipe', {
      ...{ file, field },
      found: issue.received,
      // A message of our own says what valibot's notation, such as >=1, does not.
      expected:
        nearestValue(issue) ??
        (issue.message.startsWith('Invalid ') ? (issue.expected ?? issue.message) : issue.message),
    });
  }
  checkRules(result.output.rules, file);
  return result.output as Recipe;
}

function checkRules(rules: readonly Pick<Rule, 'match'>[], file: string | undefined): void {
  const hold = (field: string, what: string, found: number, limit: number): void => {
    if (found <= limit) return;
    const details = { file, field, found: String(found), expected: `at most ${limit}` };
    throw new AppError('LIMIT', what, details);
  };
  hold('rules', 'has too many rules', rules.length, MAX_RULES);
  let [searches, size] = [0, 0];
  for (const [index, { match }] of rules.entries()) {
    for (const key of ['name', 'layer'] as const) {
      const pattern = match[key];
      if (pattern === undefined) continue;
      // Exact names of tensors are looked up.
      if (key === 'name' && exactNames(pattern) !== null) continue;
      const field = `rules.${index}.match.${key}`;
      hold(field, 'has too many rules with a regular expression', ++searches, MAX_SEARCHES);
      size += compiled(pattern, field, file).size;
      hold(field, 'the regular expressions of the rules are too large', size, MAX_SEARCH_SIZE);
    }
  }
}

function compiled(pattern: string, field: string, file: string | undefined): NamePattern {
  try {
    return compilePattern(pattern);
  } catch (error) {
    throw new AppError(
      'BAD_RECIPE',
      'the name pattern of a rule is not supported',
      {
        file,
        field,
        found: `${pattern}: ${(error as Error).message}`,
        expected: 'a regular expression of RE2, without lookaround and backreferences',
      },
      error,
    );
  }
}

const FIELDS = [
  ...Object.keys(recipeSchema.entries),
  ...Object.keys(schemeFields),
  ...Object.keys(calibrationFields),
  ...Object.keys(imageFields),
  ...Object.keys(activationFields),
  ...['match', 'scheme', 'op', 'role', 'block', 'percentile', 'clip'],
];

/** Where a recipe has a field that is not where it was found. */
function placeOf(name: string, field: string): string | undefined {
  if (name in recipeSchema.entries && field !== name) return `${name} at the top of the recipe`;
  if (name in activationFields && !(name in schemeFields)) return `activations.${name}`;
  if (name in schemeFields) return `default.${name}, or ${name} in the scheme of a rule`;
  return undefined;
}

function unknownField(issue: v.BaseIssue<unknown>, file: string | undefined): AppError {
  const field = v.getDotPath(issue) ?? 'recipe';
  const name = field.slice(field.lastIndexOf('.') + 1).slice(0, 40);
  const nearest = nearestOf(name, FIELDS);
  // Of a known field in the wrong place that would be the field itself.
  const expected = nearest === name ? placeOf(name, field) : nearest;
  return new AppError('BAD_RECIPE', 'a recipe has no such field', { file, field, expected });
}

/** Of a misspelt word of a list, such as the dtype int9, the valid ones that are like it. */
function nearestValue({ input, expected }: v.BaseIssue<unknown>): string | undefined {
  if (typeof input !== 'string') return undefined;
  // valibot lists them in quotes: ("int8" | "int4").
  const valid = [...(expected ?? '').matchAll(/"([^"]*)"/g)].map(([, word]) => word!);
  const nearest = nearestOf(input.slice(0, 40), valid);
  return nearest === undefined ? undefined : `one such as ${nearest}`;
}
