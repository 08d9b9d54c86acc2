import * as v from 'valibot';
import {
  calibrationFields,
  imageFields,
  type CalibrationSettings,
} from './calibration-settings.ts';
import { AppError } from './errors.ts';
import { compilePattern, exactNames, MAX_PATTERN_LENGTH, type NamePattern } from './patterns.ts';
import { JsonReader } from './json-reader.ts';
import { smallest } from './lists.ts';
import {
  BASE_SCHEME,
  SCHEME_DTYPES,
  schemeOf,
  type RangeMethod,
  type Scheme,
  type SchemeFields,
} from './scheme.ts';

/** Types that the values between operators can be quantized to. */
export const ACTIVATION_DTYPES = ['uint8', 'int8', 'uint16', 'int16'] as const;
export type ActivationDtype = (typeof ACTIVATION_DTYPES)[number];

/** How the values between operators are quantized, in modes that do that. One scale for a whole value. */
export interface ActivationScheme {
  readonly dtype: ActivationDtype;
  readonly symmetric: boolean;
  /** How a range is chosen of what calibration observed. */
  readonly range: RangeMethod;
  /** Whether biases make up for what rounded weights add on average; not where operators are named. */
  readonly biasCorrection?: boolean | undefined;
  /**
   * Types of operators whose inputs and outputs are quantized by the rules of onnxruntime's quantize_static; where it is
   * left out, those are planned that integer kernels gain from.
   */
  readonly operators?: readonly string[] | undefined;
}

export interface Rule {
  /** All that are given must match. `name` and `layer` are regular expressions on the names of the tensor and of its layer. */
  readonly match: {
    readonly name?: string | undefined;
    readonly layer?: string | undefined;
    readonly op?: string | undefined;
    readonly role?: string | undefined;
  };
  /** What is left out is taken from the recipe's default; null keeps the tensor as it is; without it weights are not meant. */
  readonly scheme?: Partial<SchemeFields> | null | undefined;
  /** The same for the values that a matched operator makes; null keeps the operator in float. */
  readonly activations?: Partial<ActivationScheme> | null | undefined;
}

/** What the user wants; the file that the app saves and opens. */
export interface Recipe {
  readonly version: 1;
  readonly name: string;
  readonly default: SchemeFields | null;
  /** How calibration data becomes inputs; guessed where it is left out. */
  readonly calibration?: CalibrationSettings | undefined;
  /** How values between operators are quantized in modes that do that; without it as BASE_ACTIVATIONS says. */
  readonly activations?: ActivationScheme | null | undefined;
  /** Tensors with fewer elements are left as they are, unless a rule names a scheme for them. */
  readonly minElements: number;
  /** What MatMulNBits nodes of an export in mode nbits compute in; 0, unset, where it is left out. */
  readonly accuracyLevel?: AccuracyLevel | undefined;
  readonly rules: readonly Rule[];
}

/**
 * The accuracy_level of MatMulNBits (com.microsoft): the least accurate type that its inputs may be
 * quantized to. 1 computes in float32, 4 in int8; at 0 the runtime chooses, which is float32 on the CPU.
 */
export const ACCURACY_LEVELS = [0, 1, 4] as const;
export type AccuracyLevel = (typeof ACCURACY_LEVELS)[number];

/** The scheme of tensors that no rule matches; null keeps them. */
export function defaultOf({ default: fields }: Pick<Recipe, 'default'>): Scheme | null {
  return fields === null ? null : schemeOf(fields);
}

/**
 * Activations where a recipe says nothing of them: the type that onnxruntime's kernels on x86 take best, and the range
 * that loses least on real models (docs/accuracy.md).
 */
export const BASE_ACTIVATIONS: ActivationScheme = {
  dtype: 'uint8',
  symmetric: false,
  range: { percentile: 99.99 },
  biasCorrection: true,
};

function preset(
  name: string,
  scheme: Partial<SchemeFields>,
  others: Partial<Pick<Recipe, 'minElements' | 'activations'>> = {},
): Recipe {
  const { minElements = 1024, ...rest } = others;
  return {
    version: 1,
    name,
    default: { ...BASE_SCHEME, ...scheme },
    ...{ minElements, rules: [], ...rest },
  };
}

/** The operators that onnxruntime's quantize_static quantizes by default (its QDQRegistry and QLinearOpsRegistry). */
const ORT_STATIC_OPERATORS = [
  ...[
    'Add',
    'ArgMax',
    'AveragePool',
    'BatchNormalization',
    'Clip',
    'Concat',
    'Conv',
    'ConvTranspose',
  ],
  ...['CumSum', 'EmbedLayerNormalization', 'Flatten', 'Gather', 'GatherElements', 'Gemm'],
  ...['GlobalAveragePool', 'InstanceNormalization', 'LayerNormalization', 'LeakyRelu', 'MatMul'],
  ...['MaxPool', 'Mul', 'Pad', 'Relu', 'Reshape', 'Resize', 'Sigmoid', 'Slice', 'Softmax', 'Split'],
  ...['Squeeze', 'TopK', 'Transpose', 'Unsqueeze', 'Where'],
];

/** The recipes known by name, on the command line and in the app. */
export const PRESETS: readonly Recipe[] = [
  preset('float16', { dtype: 'float16' }),
  preset('bfloat16', { dtype: 'bfloat16' }),
  preset('int8', { dtype: 'int8' }),
  preset('int8-tensor', { dtype: 'int8', granularity: 'tensor' }),
  preset('uint8', { dtype: 'uint8', symmetric: false, granularity: 'tensor' }),
  preset('int16', { dtype: 'int16' }),
  preset('int4-block32', { dtype: 'int4', granularity: { block: 32 } }),
  preset('uint4-block32', { dtype: 'uint4', symmetric: false, granularity: { block: 32 } }),
  // LiteRT's dynamic range quantization of weights.
  preset('litert-dynamic', { dtype: 'int8', narrowRange: true }),
  // LiteRT's 4 bits: absmax / 7 per channel, as its kernels take no blocks.
  preset('litert-int4', { dtype: 'int4', narrowRange: true }),
  // onnxruntime's quantize_dynamic by default: int8, symmetric, per tensor, whatever the size.
  preset('ort-dynamic', { dtype: 'int8', granularity: 'tensor' }, { minElements: 0 }),
  // Mode static quantizes the activations as well.
  preset('static-int8', {}, { activations: BASE_ACTIVATIONS }),
  // onnxruntime's quantize_static by default.
  preset(
    'ort-static',
    { granularity: 'tensor' },
    {
      minElements: 0,
      activations: {
        dtype: 'int8',
        symmetric: false,
        range: 'minmax',
        operators: ORT_STATIC_OPERATORS,
      },
    },
  ),
  // CMSIS-DSP fixed point: what is outside [-1, 1) saturates.
  preset('q7', { dtype: 'q7', granularity: 'tensor' }),
  preset('q15', { dtype: 'q15', granularity: 'tensor' }),
  preset('q31', { dtype: 'q31', granularity: 'tensor' }),
];

/** What each preset does, in one sentence. Not a field of the recipe, as recipe files know no such field. */
export const PRESET_DESCRIPTIONS: Readonly<Record<string, string>> = {
  float16: 'Casts float32 weights to half precision; no scales.',
  bfloat16:
    'Casts float32 weights to bfloat16: the range of float32, 8 bits of precision; no scales.',
  int8: 'Symmetric int8, one scale per channel: the first choice for most networks.',
  'int8-tensor':
    'Symmetric int8, one scale per tensor: smaller parameters, larger error than int8.',
  uint8: 'Asymmetric uint8 with a zero point, one scale per tensor.',
  int16: 'Symmetric int16, one scale per channel: nearly exact, half the bytes of float32.',
  'int4-block32': 'Symmetric int4, one scale per block of 32 weights: for large language models.',
  'uint4-block32': 'Asymmetric uint4, one scale and zero point per block of 32 weights.',
  'litert-dynamic':
    'The weights of LiteRT dynamic range quantization: int8 in -127 to 127, per channel.',
  'litert-int4': 'The 4-bit weights that LiteRT runs: int4 in -7 to 7, per channel.',
  'ort-dynamic':
    'Quantizes every weight per tensor, as onnxruntime does by default; int8 is the better choice.',
  'static-int8':
    'Weights in int8 per channel and, in mode static, activations in uint8: onnxruntime computes on integers.',
  'ort-static':
    "onnxruntime's quantize_static by default: int8 weights and activations, per tensor, of most operators.",
  q7: 'CMSIS-DSP fixed point of 8 bits: values outside [-1, 1) saturate.',
  q15: 'CMSIS-DSP fixed point of 16 bits: values outside [-1, 1) saturate.',
  q31: 'CMSIS-DSP fixed point of 32 bits: values outside [-1, 1) saturate.',
};

/** Whether a file is a recipe by its name: JSON that is no index of a checkpoint. */
export function isRecipeFile(name: string): boolean {
  return /\.json$/i.test(name) && !/\.index\.([\w.-]+\.)?json$/i.test(name);
}

export function findPreset(name: string): Recipe | undefined {
  return PRESETS.find((recipe) => recipe.name === name);
}

const schemeFields = {
  dtype: v.picklist(SCHEME_DTYPES),
  symmetric: v.boolean(),
  granularity: v.union([
    v.picklist(['tensor', 'channel']),
    v.strictObject({ block: v.pipe(v.number(), v.integer(), v.minValue(16), v.maxValue(65536)) }),
  ]),
  range: v.union([
    v.picklist(['minmax', 'mse', 'entropy']),
    v.strictObject({ percentile: v.pipe(v.number(), v.gtValue(0), v.maxValue(100)) }),
    v.strictObject({
      clip: v.pipe(
        v.tuple([v.pipe(v.number(), v.finite()), v.pipe(v.number(), v.finite())]),
        v.check(([low, high]) => low < high, 'a low end below the high one'),
      ),
    }),
  ]),
  narrowRange: v.optional(v.boolean()),
  powerOfTwo: v.optional(v.boolean()),
  rounding: v.optional(v.picklist(['even', 'zero'])),
};

const schemeSchema = v.strictObject(schemeFields);

const activationFields = {
  dtype: v.picklist(ACTIVATION_DTYPES),
  symmetric: v.boolean(),
  range: schemeFields.range,
  biasCorrection: v.optional(v.boolean()),
  operators: v.optional(v.pipe(v.array(v.pipe(v.string(), v.maxLength(200))), v.maxLength(1000))),
};

const recipeSchema = v.strictObject({
  version: v.literal(1),
  name: v.pipe(v.string(), v.maxLength(200)),
  default: v.nullable(schemeSchema),
  calibration: v.optional(v.strictObject(calibrationFields)),
  activations: v.optional(v.nullable(v.strictObject(activationFields))),
  minElements: v.optional(v.pipe(v.number(), v.safeInteger(), v.minValue(0)), 1024),
  accuracyLevel: v.optional(v.picklist(ACCURACY_LEVELS)),
  rules: v.optional(
    v.array(
      v.strictObject({
        match: v.strictObject({
          name: v.optional(v.pipe(v.string(), v.maxLength(MAX_PATTERN_LENGTH))),
          layer: v.optional(v.pipe(v.string(), v.maxLength(MAX_PATTERN_LENGTH))),
          op: v.optional(v.pipe(v.string(), v.maxLength(MAX_PATTERN_LENGTH))),
          role: v.optional(v.pipe(v.string(), v.maxLength(MAX_PATTERN_LENGTH))),
        }),
        scheme: v.optional(v.nullable(v.partial(schemeSchema))),
        activations: v.optional(v.nullable(v.partial(v.strictObject(activationFields)))),
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
    throw new AppError('BAD_RECIPE', 'not a recipe', {
      file,
      field: v.getDotPath(issue) ?? 'recipe',
      found: issue.received,
      expected: nearestValue(issue) ?? issue.expected ?? issue.message,
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

function unknownField(issue: v.BaseIssue<unknown>, file: string | undefined): AppError {
  const field = v.getDotPath(issue) ?? 'recipe';
  const name = field.slice(field.lastIndexOf('.') + 1).slice(0, 40);
  const expected = nearestOf(name, FIELDS);
  return new AppError('BAD_RECIPE', 'a recipe has no such field', { file, field, expected });
}

/** Of a misspelt word of a list, such as the dtype int9, the valid ones that are like it. */
function nearestValue({ input, expected }: v.BaseIssue<unknown>): string | undefined {
  if (typeof input !== 'string') return undefined;
  // valibot lists them in quotes: ("int8" | "int4").
  const valid = [...(expected ?? '').matchAll(/"([^"]*)"/g)].map(([, word]) => word!);
  return nearestOf(input.slice(0, 40), valid);
}

/** The known words that a misspelt one is nearest to, "int8 or int4"; undefined when it is like none. */
function nearestOf(word: string, known: readonly string[]): string | undefined {
  const like = [...new Set(known)]
    .map((each) => ({ each, changes: changesBetween(word, each) }))
    .filter(({ each, changes }) => changes <= Math.max(1, each.length / 3));
  const least = smallest(like.map(({ changes }) => changes));
  const nearest = like.filter(({ changes }) => changes === least).map(({ each }) => each);
  return nearest.length === 0 ? undefined : nearest.join(' or ');
}

/** How many characters must be added, removed or replaced to make one word of the other (Levenshtein). */
function changesBetween(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, at) => at);
  for (let at = 0; at < from.length; at++) {
    const next = [at + 1];
    for (let other = 0; other < to.length; other++)
      next.push(
        Math.min(
          row[other + 1]! + 1,
          next[other]! + 1,
          row[other]! + (from[at]!.toLowerCase() === to[other]!.toLowerCase() ? 0 : 1),
        ),
      );
    row = next;
  }
  return row.at(-1)!;
}
