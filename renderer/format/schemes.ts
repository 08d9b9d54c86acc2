import {
  BASE_ACTIVATIONS,
  type ActivationScheme,
  type Recipe,
  defaultOf,
} from '../../shared/recipe.ts';
import { findPreset, PRESETS } from '../../shared/presets.ts';
import {
  algorithmOf,
  granularityOf,
  hasSignedScale,
  isFloatCast,
  isNarrow,
  roundingOf,
  scalingOf,
  schemeOf,
  type Algorithm,
  type Granularity,
  type RangeMethod,
  type Scaling,
  type Scheme,
  type SchemeFields,
} from '../../shared/scheme.ts';
import { schemeCodes } from '../../shared/scheme-codes.ts';
import { shownName } from './names.ts';
import { digits, MINUS } from './numbers.ts';

/** The two words of a scheme in the table: its dtype, and its granularity where that means something. */
export function schemeWords(scheme: Scheme): { readonly dtype: string; readonly detail: string } {
  const granularity = scheme.kind === 'cast' ? '' : granularityWord(granularityOf(scheme));
  const isNearest = algorithmOf(scheme) === 'nearest';
  return { dtype: scheme.dtype, detail: isNearest ? granularity : `${granularity}, GPTQ` };
}

export function granularityWord(granularity: Granularity): string {
  return typeof granularity === 'string' ? granularity : `block ${granularity.block}`;
}

/** Whether ranges reach as far below 0 as above, and scales may be negative for that. */
export function symmetryWord({
  symmetric,
  signedScale,
}: Pick<SchemeFields, 'symmetric' | 'signedScale'>): string {
  if (!symmetric) return 'asymmetric';
  return signedScale === true ? 'signed scale' : 'symmetric';
}

/** The words of symmetryWord that a scheme can have: scales of either sign are of 4 bits in blocks. */
export function symmetriesOf(scheme: SchemeFields): readonly string[] {
  const signed = schemeOf({ ...scheme, symmetric: true, signedScale: true });
  return ['symmetric', ...(hasSignedScale(signed) ? ['signed scale'] : []), 'asymmetric'];
}

/** What a word of symmetryWord asks for. */
export function symmetryFields(word: string): Pick<SchemeFields, 'symmetric' | 'signedScale'> {
  return { symmetric: word !== 'asymmetric', signedScale: word === 'signed scale' };
}

/** How codes are chosen, as the window calls it. */
export function algorithmWord(algorithm: Algorithm): string {
  return algorithm === 'gptq' ? 'GPTQ, on samples' : algorithm;
}

/** A range's name, the same in every language: "minmax", "p 99.99". */
export function rangeWord(range: RangeMethod): string {
  if (typeof range === 'string') return range;
  return 'clip' in range ? 'by hand' : `p ${range.percentile}`;
}

/** A range's name as the window shows it, in the language of numbers. */
export function rangeLabel(range: RangeMethod): string {
  return digits(rangeWord(range));
}

/**
 * Everything a scheme says, for tooltips and rules: "int8 symmetric, per channel, minmax".
 * @param word how the range is written
 */
export function schemeSentence(
  scheme: Partial<SchemeFields> | null,
  word: (range: RangeMethod) => string = rangeLabel,
): string {
  if (scheme === null) return 'keep as it is';
  if (scheme.dtype !== undefined && isFloatCast(scheme.dtype)) return scheme.dtype;
  const parts = [
    [
      scheme.dtype,
      scheme.symmetric === undefined ? undefined : scheme.symmetric ? 'symmetric' : 'asymmetric',
    ]
      .filter((part) => part !== undefined)
      .join(' '),
    scheme.signedScale === true ? 'signed scale' : '',
    scheme.granularity === undefined ? '' : `per ${granularityWord(scheme.granularity)}`,
    scheme.range === undefined ? '' : word(scheme.range),
    (scheme.algorithm ?? 'nearest') === 'nearest' ? '' : algorithmWord('gptq'),
  ].filter((part) => part !== '');
  return parts.length === 0 ? 'as the recipe' : parts.join(', ');
}

/** The codes that a scheme uses, lowest and highest; null for casts. */
export function codeRange(scheme: Scheme): { readonly lo: number; readonly hi: number } | null {
  const codes = schemeCodes(scheme);
  return codes === null ? null : { lo: codes.clip.qmin, hi: codes.clip.qmax };
}

/** A code with the typographic minus sign. */
export function codeText(code: number): string {
  return String(code).replace('-', MINUS);
}

export function sameGranularity(a: Granularity, b: Granularity): boolean {
  return typeof a === 'string' || typeof b === 'string' ? a === b : a.block === b.block;
}

export function sameRange(a: RangeMethod, b: RangeMethod): boolean {
  if (typeof a === 'string' || typeof b === 'string') return a === b;
  if ('clip' in a || 'clip' in b)
    return 'clip' in a && 'clip' in b && a.clip[0] === b.clip[0] && a.clip[1] === b.clip[1];
  return a.percentile === b.percentile;
}

/** Whether two schemes make the same codes of the same values. */
export function sameScheme(a: Scheme | null, b: Scheme | null): boolean {
  if (a === null || b === null) return a === b;
  return (
    a.dtype === b.dtype &&
    sameScaling(scalingOf(a), scalingOf(b)) &&
    isNarrow(a) === isNarrow(b) &&
    algorithmOf(a) === algorithmOf(b) &&
    roundingOf(a) === roundingOf(b)
  );
}

function sameScaling(a: Scaling | null, b: Scaling | null): boolean {
  if (a === null || b === null) return a === b;
  return (
    a.symmetric === b.symmetric &&
    a.signedScale === b.signedScale &&
    sameGranularity(a.granularity, b.granularity) &&
    sameRange(a.range, b.range)
  );
}

/** Whether two recipes ask for the same of a tensor that no rule matches. */
export function sameDefault(a: Pick<Recipe, 'default'>, b: Pick<Recipe, 'default'>): boolean {
  return sameScheme(defaultOf(a), defaultOf(b));
}

/** Whether two recipes quantize activations alike. */
export function sameActivations(
  { activations: a = BASE_ACTIVATIONS }: Pick<Recipe, 'activations'>,
  { activations: b = BASE_ACTIVATIONS }: Pick<Recipe, 'activations'>,
): boolean {
  if (a === null || b === null) return a === b;
  return (
    a.dtype === b.dtype &&
    a.symmetric === b.symmetric &&
    sameRange(a.range, b.range) &&
    (a.rangeByOutputs ?? false) === (b.rangeByOutputs ?? false) &&
    (a.biasCorrection ?? false) === (b.biasCorrection ?? false) &&
    a.operators?.join() === b.operators?.join()
  );
}

/** Whether two recipes equalize weights alike. */
export function sameEqualization(
  { equalize: a = false }: Pick<Recipe, 'equalize'>,
  { equalize: b = false }: Pick<Recipe, 'equalize'>,
): boolean {
  return a === b;
}

/** A range method of activations that calibration chooses, as the window calls it. */
export const BY_OUTPUTS = 'best for outputs';

/** What a rule or recipe asks of activations: "int8 symmetric, minmax". */
export function activationSentence(scheme: Partial<ActivationScheme> | null): string {
  if (scheme === null) return 'float';
  const { dtype = '', symmetric, range, rangeByOutputs, biasCorrection } = scheme;
  const symmetry = symmetric === undefined ? '' : symmetric ? 'symmetric' : 'asymmetric';
  const parts = [
    `${dtype} ${symmetry}`.trim(),
    rangeByOutputs === true ? BY_OUTPUTS : range === undefined ? '' : rangeLabel(range),
    biasCorrection === true ? 'biases corrected' : '',
  ];
  return parts.filter((part) => part !== '').join(', ');
}

/** What a recipe asks of the channels of weights; nothing where they stay. */
export function equalizationWord({ equalize = false }: Pick<Recipe, 'equalize'>): string {
  if (equalize === false) return '';
  return equalize === true ? 'weights equalized' : 'weights equalized where best for outputs';
}

/** What a recipe is called once it was edited. */
export const CUSTOM = 'custom';

/**
 * The preset whose default scheme and minimum size a recipe has, whatever its rules; undefined when none has,
 * and for a recipe with a name of its own.
 */
export function presetOf(recipe: Recipe): Recipe | undefined {
  const named = findPreset(recipe.name);
  if (named === undefined && recipe.name !== '' && recipe.name !== CUSTOM) return undefined;
  const fits = (preset: Recipe) =>
    preset.minElements === recipe.minElements &&
    sameActivations(preset, recipe) &&
    sameEqualization(preset, recipe) &&
    sameDefault(preset, recipe);
  if (named !== undefined && fits(named)) return named;
  return PRESETS.find(fits);
}

/** What a recipe is called: its preset's name, the name that its file gave it, or custom once it was edited. */
export function recipeName(recipe: Recipe): string {
  return (
    presetOf(recipe)?.name ??
    (findPreset(recipe.name) === undefined && recipe.name !== '' ? shownName(recipe.name) : CUSTOM)
  );
}

/** A recipe's name for heads and buttons: "int8", "int8, 2 rules", "custom". */
export function recipeTitle(recipe: Recipe): string {
  const name = recipeName(recipe);
  const count = recipe.rules.length;
  return count === 0 ? name : `${name}, ${count} ${count === 1 ? 'rule' : 'rules'}`;
}
