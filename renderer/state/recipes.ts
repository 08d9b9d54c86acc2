// Edits of recipes, as pure functions from one recipe to the next.
import type { Side } from '../../shared/protocol.ts';
import { borderOf, defaultOf, type Recipe, type Rule } from '../../shared/recipe.ts';
import { findPreset } from '../../shared/presets.ts';
import {
  BASE_SCHEME,
  scalingOf,
  type Granularity,
  type RangeMethod,
  type SchemeFields,
} from '../../shared/scheme.ts';
import {
  CUSTOM,
  presetOf,
  sameActivations,
  sameEqualization,
  sameDefault,
  sameGranularity,
  sameRange,
} from '../format/schemes.ts';

export type RecipePair = Readonly<Record<Side, Recipe>>;

/** How many weights of the open model each rule would match; null where that takes too long. */
export type CountMatches = (
  matches: readonly Rule['match'][],
) => Promise<readonly (number | null)[]>;

export const SIDES: readonly Side[] = ['a', 'b'];

/** The granularities and ranges that are offered; a recipe from a file may have others. */
export const GRANULARITIES: readonly Granularity[] = [
  'tensor',
  'channel',
  { block: 32 },
  { block: 64 },
  { block: 128 },
];
export const RANGES: readonly RangeMethod[] = [
  'minmax',
  ...[99.999, 99.99, 99.9, 99].map((percentile) => ({ percentile })),
  'mse',
  'entropy',
];

/** The recipes of a first start: int8 per channel against uint8 per tensor. */
export function firstRecipes(): RecipePair {
  const a = findPreset('int8');
  const b = findPreset('uint8');
  if (a === undefined || b === undefined) throw new RangeError('a preset is missing');
  return { a, b };
}

/** An edited recipe has the name of the preset that it is now, or none. */
export function renamed(recipe: Recipe): Recipe {
  const edited = { ...recipe, name: CUSTOM };
  return { ...edited, name: presetOf(edited)?.name ?? CUSTOM };
}

/** The recipe with another default scheme; fields left out stay. null keeps everything without a rule. */
export function withDefault(recipe: Recipe, change: Partial<SchemeFields> | null): Recipe {
  if (change === null) return renamed({ ...recipe, default: null });
  return renamed({ ...recipe, default: { ...(recipe.default ?? BASE_SCHEME), ...change } });
}

export function withMinElements(recipe: Recipe, minElements: number): Recipe {
  return renamed({ ...recipe, minElements });
}

/** The fields of the band in which two recipes may differ. */
export type BandField =
  | 'dtype'
  | 'symmetry'
  | 'granularity'
  | 'range'
  | 'activations'
  | 'minElements'
  | 'rules';

/** The fields that say something of both recipes and whose values differ. */
export function differingFields(a: Recipe, b: Recipe): ReadonlySet<BandField> {
  const differing = new Set<BandField>();
  const [first, second] = [defaultOf(a), defaultOf(b)];
  if (first?.dtype !== second?.dtype) differing.add('dtype');
  const [one, two] = [first && scalingOf(first), second && scalingOf(second)];
  if (one !== null && two !== null) {
    if (one.symmetric !== two.symmetric || one.signedScale !== two.signedScale)
      differing.add('symmetry');
    if (!sameGranularity(one.granularity, two.granularity)) differing.add('granularity');
    if (!sameRange(one.range, two.range)) differing.add('range');
  }
  if (!sameActivations(a, b) || !sameEqualization(a, b)) differing.add('activations');
  if (a.minElements !== b.minElements) differing.add('minElements');
  if (JSON.stringify(a.rules) !== JSON.stringify(b.rules)) differing.add('rules');
  return differing;
}

/** Whether two recipes ask for the same of every tensor, activation and sample. */
export function sameRecipe(a: Recipe, b: Recipe): boolean {
  return (
    sameDefault(a, b) &&
    a.minElements === b.minElements &&
    sameActivations(a, b) &&
    borderOf(a) === borderOf(b) &&
    a.accuracyLevel === b.accuracyLevel &&
    (a.dropMetadata ?? false) === (b.dropMetadata ?? false) &&
    sameEqualization(a, b) &&
    (a.prepare ?? false) === (b.prepare ?? false) &&
    JSON.stringify(a.calibration) === JSON.stringify(b.calibration) &&
    JSON.stringify(a.rules) === JSON.stringify(b.rules)
  );
}
