// What two recipes ask for differently, in words.
import type { ModelSummary } from '../../../shared/protocol.ts';
import type { Recipe } from '../../../shared/recipe.ts';
import type { Scheme, SchemeFields } from '../../../shared/scheme.ts';
import { integer } from '../../format/numbers.ts';
import {
  granularityWord,
  rangeLabel,
  sameScheme,
  schemeWords,
  symmetryWord,
} from '../../format/schemes.ts';
import type { Figures } from '../../state/figures.ts';
import { differingFields, type BandField, type RecipePair } from '../../state/recipes.ts';

export interface Difference {
  readonly label: string;
  readonly a: string;
  readonly b: string;
  /** The tensor whose override this is; null for a field of the recipe. */
  readonly tensor: number | null;
}

const KEPT = 'kept';

const FIELDS: readonly {
  readonly field: BandField;
  readonly label: string;
  readonly write: (recipe: Recipe) => string;
}[] = [
  { field: 'dtype', label: 'dtype', write: (recipe) => recipe.default?.dtype ?? KEPT },
  {
    field: 'symmetry',
    label: 'Symmetry',
    write: ofDefault(symmetryWord),
  },
  {
    field: 'granularity',
    label: 'Granularity',
    write: ofDefault(({ granularity }) => granularityWord(granularity)),
  },
  { field: 'range', label: 'Range', write: ofDefault(({ range }) => rangeLabel(range)) },
  { field: 'minElements', label: 'Min. size', write: ({ minElements }) => integer(minElements) },
];

function ofDefault(write: (scheme: SchemeFields) => string): (recipe: Recipe) => string {
  return (recipe) => (recipe.default === null ? KEPT : write(recipe.default));
}

function words(scheme: Scheme | null): string {
  if (scheme === null) return KEPT;
  const { dtype, detail } = schemeWords(scheme);
  return detail === '' ? dtype : `${dtype} ${detail}`;
}

/** The fields that differ, then the layers for which a rule of either recipe makes a difference. */
export function differences(
  recipes: RecipePair,
  model: ModelSummary,
  names: readonly string[],
  figures: { readonly a: (id: number) => Figures; readonly b: (id: number) => Figures },
): Difference[] {
  const differing = differingFields(recipes.a, recipes.b);
  const fields = FIELDS.filter(({ field }) => differing.has(field)).map(
    ({ label, write }): Difference => ({
      label,
      a: write(recipes.a),
      b: write(recipes.b),
      tensor: null,
    }),
  );
  const overrides = model.tensors.flatMap(({ id, name }): Difference[] => {
    const [a, b] = [figures.a(id), figures.b(id)];
    if (!(a.byRule || b.byRule) || sameScheme(a.scheme, b.scheme)) return [];
    return [{ label: names[id] ?? name, a: words(a.scheme), b: words(b.scheme), tensor: id }];
  });
  return [...fields, ...overrides];
}
