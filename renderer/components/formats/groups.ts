import { NUMBER_FORMATS, type NumberFormat } from '../../../shared/number-formats.ts';

const TITLES: readonly (readonly [NumberFormat['kind'], string])[] = [
  ['float', 'Floating point'],
  ['fixed', 'Fixed point'],
  ['signed', 'Signed integers'],
  ['unsigned', 'Unsigned integers'],
];

/** The formats as the lab lists them: those with fractions first. */
export const GROUPS: readonly {
  readonly title: string;
  readonly formats: readonly NumberFormat[];
}[] = TITLES.map(([kind, title]) => ({
  title,
  formats: NUMBER_FORMATS.filter((format) => format.kind === kind),
}));

export const LISTED: readonly NumberFormat[] = GROUPS.flatMap(({ formats }) => formats);
