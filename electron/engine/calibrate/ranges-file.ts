import * as fs from 'node:fs';
import * as v from 'valibot';
import { AppError, ioError } from '../../../shared/errors.ts';
import { valueKey, type ModelGraph } from '../../../shared/graph.ts';
import { HISTOGRAM_BINS, type ObservedValue, type Ranges } from '../../../shared/ranges.ts';
import { equalizationSchema } from '../../../shared/equalization-file.ts';
import { ACTIVATION_DTYPES } from '../../../shared/recipe.ts';
import { rangeMethod } from '../../../shared/recipe-file.ts';

/** No file of ranges is near this: it takes some 30 kB for each value. */
const MAX_RANGES_BYTES = 1 << 30;

const finite = v.pipe(v.number(), v.finite());
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

const schema = v.strictObject({
  version: v.literal(1),
  samples: count,
  values: v.array(
    v.strictObject({
      name: v.string(),
      min: finite,
      max: finite,
      mean: finite,
      power: finite,
      count,
      nonFinite: count,
      /** The bins in use: the first one's number, then counts. */
      histogram: v.strictObject({
        first: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(HISTOGRAM_BINS)),
        counts: v.pipe(v.array(count), v.maxLength(HISTOGRAM_BINS)),
      }),
      channels: v.optional(
        v.strictObject({
          means: v.array(finite),
          peaks: v.optional(v.array(finite)),
          shape: v.array(count),
        }),
      ),
    }),
  ),
  skipped: v.array(v.strictObject({ name: v.string(), reason: v.string() })),
  equalization: v.optional(equalizationSchema),
  best: v.optional(
    v.strictObject({
      range: rangeMethod,
      of: v.strictObject({ dtype: v.picklist(ACTIVATION_DTYPES), symmetric: v.boolean() }),
      isNearest: v.boolean(),
      tried: v.array(
        v.strictObject({ range: rangeMethod, isNearest: v.boolean(), sqnrDb: v.nullable(finite) }),
      ),
    }),
  ),
});

/** Ranges as a file holds them: bins before the first and after the last in use are left out. */
export function rangesToText({ samples, values, skipped, best, equalization }: Ranges): string {
  const written = values.map(({ histogram, ...facts }) => {
    const first = histogram.findIndex((each) => each > 0);
    const end = histogram.findLastIndex((each) => each > 0) + 1;
    const counts = histogram.slice(Math.max(0, first), end);
    return { ...facts, histogram: { first: Math.max(0, first), counts } };
  });
  return `${JSON.stringify({ version: 1, samples, values: written, skipped, best, equalization })}\n`;
}

/** The ranges that a file holds. @throws AppError IO, and as rangesFromText does */
export function readRanges(file: string): Ranges {
  let stat: fs.Stats;
  try {
    stat = fs.statSync(file);
  } catch (error) {
    throw ioError('cannot be opened', file, error);
  }
  if (!stat.isFile() || stat.size > MAX_RANGES_BYTES)
    throw new AppError('BAD_USAGE', 'cannot hold ranges', {
      file,
      found: stat.isFile() ? `${stat.size} bytes` : 'no regular file',
      expected: `a JSON file of at most ${MAX_RANGES_BYTES} bytes`,
    });
  return rangesFromText(fs.readFileSync(file, 'utf8'), file);
}

/** @throws AppError BAD_USAGE where most of the values that were observed are not the model's: some names are common */
export function assertRangesOf({ values }: ModelGraph, ranges: Ranges, file: string): void {
  const own = new Set(values.map(valueKey));
  const strangers = ranges.values.filter(({ name }) => !own.has(name));
  if (strangers.length * 2 <= ranges.values.length) return;
  throw new AppError('BAD_USAGE', 'holds ranges of another model', {
    file,
    field: 'values',
    found: `${strangers.length} of ${ranges.values.length} that this model does not have, as ${strangers[0]!.name}`,
    expected: 'values of this model',
  });
}

/** @throws AppError BAD_USAGE naming the field, what was found and what was expected */
export function rangesFromText(text: string, file: string): Ranges {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw notRanges(file, 'ranges', (error as Error).message, 'JSON', error);
  }
  const result = v.safeParse(schema, json);
  if (!result.success) {
    const [issue] = result.issues;
    const field = v.getDotPath(issue) ?? 'ranges';
    throw notRanges(file, field, issue.received, issue.expected ?? issue.message);
  }
  const { samples, values, skipped, best, equalization } = result.output;
  const whole = values.map((value) => wholeValue(value, file));
  return {
    ...{ samples, skipped, values: whole },
    ...(best === undefined ? {} : { best }),
    ...(equalization === undefined ? {} : { equalization }),
  };
}

type WrittenValue = v.InferOutput<typeof schema>['values'][number];

function wholeValue(
  { histogram: { first, counts }, ...facts }: WrittenValue,
  file: string,
): ObservedValue {
  const histogram = new Array<number>(HISTOGRAM_BINS).fill(0);
  if (first + counts.length > HISTOGRAM_BINS || facts.min > facts.max)
    throw notRanges(file, facts.name, 'bins or ends out of order', `${HISTOGRAM_BINS} bins`);
  counts.forEach((each, at) => (histogram[first + at] = each));
  return { ...facts, histogram };
}

function notRanges(
  file: string,
  field: string,
  found: string,
  expected: string,
  cause?: unknown,
): AppError {
  return new AppError(
    'BAD_USAGE',
    'holds no ranges; make them with quantscope calibrate',
    { file, field, found, expected },
    cause,
  );
}
