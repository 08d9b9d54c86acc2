import * as v from 'valibot';
import { ANSWER_KINDS, BOX_ORDERS } from '../../shared/answers.ts';
import { calibrationFields } from '../../shared/calibration-settings.ts';
import { MAX_DOT_LENGTH } from '../../shared/dot-product.ts';
import { AppError } from '../../shared/errors.ts';
import { EXPORT_MODES } from '../../shared/exports.ts';
import { LAYER_PARTS } from '../../shared/layer-errors.ts';
import type { RequestKind, Requests, ToEngine } from '../../shared/protocol.ts';
import type { Recipe, Rule } from '../../shared/recipe.ts';
import { LEFT_IN_FLOAT } from '../../shared/sensitivity.ts';

/** More than the layers of any model that is opened; a page sends those that it shows. */
const MAX_FIRST = 1_000_000;

const handle = v.pipe(v.string(), v.maxLength(64));
const whole = (least: number, most: number) =>
  v.pipe(v.number(), v.safeInteger(), v.minValue(least), v.maxValue(most));
const index = whole(0, Number.MAX_SAFE_INTEGER);
const mode = v.picklist(EXPORT_MODES);
const side = v.picklist(['a', 'b']);
const finite = v.pipe(v.number(), v.finite());
/** Recipes are checked by parseRecipe, whose errors name the field. */
const recipe = v.custom<Recipe>((value) => typeof value === 'object' && value !== null, 'a recipe');
/** The same. */
const matches = v.custom<readonly Rule['match'][]>(Array.isArray, 'rules');
const runInputs = {
  samples: whole(1, 1000),
  seed: index,
  inputs: v.nullable(handle),
  calibration: v.optional(v.strictObject(calibrationFields)),
};

/** Files that are dropped at once; a folder of samples may have any number. */
const MAX_FILES = 10_000;
const sampleInputs = {
  inputs: v.nullable(v.pipe(v.array(handle), v.minLength(1), v.maxLength(MAX_FILES))),
  samples: whole(1, 100_000),
  seed: index,
  recipe,
};

const slot = v.picklist(['a', 'b', 'file']);
/** No model has more outputs that a person looks at. */
const MAX_SHOWN = 10_000;
const shown = v.pipe(
  v.array(
    v.strictObject({
      output: v.pipe(v.string(), v.maxLength(1 << 20)),
      kind: v.nullable(v.picklist(ANSWER_KINDS)),
      names: v.nullable(handle),
      order: v.nullable(v.picklist(BOX_ORDERS)),
    }),
  ),
  v.maxLength(MAX_SHOWN),
);

/** What each request takes. A field more, or of another type, is an error. */
const PARAMS: { readonly [K in RequestKind]: v.GenericSchema<unknown, Requests[K]['params']> } = {
  open: v.strictObject({ handle }),
  close: v.strictObject({ handle }),
  properties: v.strictObject({ handle }),
  analyze: v.strictObject({
    handle,
    side,
    recipe,
    mode,
    first: v.pipe(v.array(index), v.maxLength(MAX_FIRST)),
    withStatistics: v.optional(v.boolean()),
  }),
  inspect: v.strictObject({
    handle,
    tensor: index,
    a: recipe,
    b: v.nullable(recipe),
    mode,
    bins: whole(1, 4096),
  }),
  scales: v.strictObject({ handle, tensor: index, recipe, mode }),
  channels: v.strictObject({ handle, tensor: index, recipe, mode }),
  searchRanges: v.strictObject({ handle, tensor: index, recipe, mode }),
  planWeights: v.strictObject({ handle, recipe }),
  countMatches: v.strictObject({ handle, matches }),
  prepare: v.strictObject({ handle }),
  describeSamples: v.strictObject({ handle, ...sampleInputs }),
  calibrate: v.strictObject({
    handle,
    mode,
    choosesCodes: v.boolean(),
    rangeOf: v.optional(recipe),
    equalizes: v.optional(v.boolean()),
    equalizeOf: v.optional(recipe),
    ...sampleInputs,
  }),
  openRanges: v.strictObject({ handle, file: handle }),
  saveRanges: v.strictObject({ handle, target: handle, recipe }),
  activations: v.strictObject({ handle, recipe }),
  inspectActivation: v.strictObject({ handle, tensor: index, recipe, bins: whole(1, 4096) }),
  previewExport: v.strictObject({ handle, recipe, mode }),
  export: v.strictObject({
    handle,
    recipe,
    mode,
    target: handle,
    overwrite: v.boolean(),
    integerOnly: v.optional(v.boolean()),
  }),
  replacedFiles: v.strictObject({ handle, recipe, mode, target: handle }),
  budget: v.strictObject({
    handle,
    recipe,
    mode,
    candidates: v.nullable(v.pipe(v.array(v.string()), v.maxLength(100))),
    outputs: v.nullable(v.strictObject(runInputs)),
  }),
  budgetPlan: v.strictObject({
    handle,
    goal: v.union([v.strictObject({ maxBytes: finite }), v.strictObject({ minSqnrDb: finite })]),
  }),
  sensitivity: v.strictObject({
    handle,
    recipe,
    mode,
    inFloat: v.picklist(LEFT_IN_FLOAT),
    ...runInputs,
  }),
  dotProduct: v.strictObject({
    of: v.nullable(v.strictObject({ handle, tensor: index })),
    length: whole(1, MAX_DOT_LENGTH),
    seed: index,
  }),
  computer: v.null(),
  verify: v.strictObject({ handle, exported: handle, keep: v.exactOptional(slot), ...runInputs }),
  run: v.strictObject({ handle, recipe, mode, keep: v.exactOptional(slot), ...runInputs }),
  answers: v.strictObject({ handle, slot, sample: index, shown }),
  agreement: v.strictObject({ handle, slot, shown }),
  layerErrors: v.strictObject({
    handle,
    of: v.union([v.strictObject({ exported: handle }), v.strictObject({ recipe, mode })]),
    only: v.nullable(v.picklist(LAYER_PARTS)),
    ...runInputs,
  }),
  running: v.null(),
  follow: v.strictObject({ job: index }),
};

const envelope = v.union([
  v.object({ type: v.literal('cancel'), id: index }),
  v.object({ type: v.literal('request'), id: index, kind: v.string(), params: v.unknown() }),
]);

/**
 * A message of a page, checked. Null when it has no id under which it could be answered.
 * @throws MalformedRequest for a request that must be answered with an error
 */
export function readMessage(message: unknown): ToEngine | null {
  const outer = v.safeParse(envelope, message);
  if (!outer.success) return null;
  if (outer.output.type === 'cancel') return outer.output;
  const { id, kind } = outer.output;
  const params = checkedParams(id, kind, outer.output.params);
  return { type: 'request', id, kind, params } as ToEngine;
}

/** A request that is answered with BAD_USAGE. */
export class MalformedRequest extends AppError {
  readonly id: number;

  constructor(id: number, summary: string, field: string, found: string, expected?: string) {
    super('BAD_USAGE', summary, { field, found, expected });
    this.id = id;
  }
}

function checkedParams(id: number, kind: string, params: unknown): unknown {
  if (!Object.hasOwn(PARAMS, kind))
    throw new MalformedRequest(id, 'the engine has no such request', 'kind', kind);
  const schema: v.GenericSchema = PARAMS[kind as RequestKind];
  const result = v.safeParse(schema, params);
  if (result.success) return result.output;
  const issue = result.issues[0];
  const field = v.getDotPath(issue) ?? 'params';
  const expected = issue.expected ?? issue.message;
  throw new MalformedRequest(
    id,
    `the request ${kind} is malformed`,
    field,
    issue.received,
    expected,
  );
}
