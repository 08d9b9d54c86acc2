// The language of numbers in the window: which marks stand before decimals and between thousands.

/** Named by the mark between thousands and the decimal mark; `system` takes those of the computer's language. */
export const NUMBER_STYLES = [
  'space-point',
  'comma-point',
  'apostrophe-point',
  'space-comma',
  'point-comma',
  'system',
] as const;
export type NumberStyle = (typeof NUMBER_STYLES)[number];

/** As the pictures of the guide and the command line write decimals. */
export const DEFAULT_NUMBER_STYLE: NumberStyle = 'space-point';

export interface NumberMarks {
  /** Between thousands. */
  readonly group: string;
  readonly decimal: string;
}

/** Narrow no-break space. */
const SPACE = '\u202f';

const MARKS: Readonly<Record<Exclude<NumberStyle, 'system'>, NumberMarks>> = {
  'space-point': { group: SPACE, decimal: '.' },
  'comma-point': { group: ',', decimal: '.' },
  'apostrophe-point': { group: '’', decimal: '.' },
  'space-comma': { group: SPACE, decimal: ',' },
  'point-comma': { group: '.', decimal: ',' },
};

/** The marks of a style; those of the default style where the locale is unknown. */
export function marksOf(style: NumberStyle, locale: string): NumberMarks {
  return style === 'system' ? marksOfLocale(locale) : MARKS[style];
}

/** The marks that Unicode's CLDR gives a locale, with Latin digits. */
function marksOfLocale(locale: string): NumberMarks {
  const { group, decimal } = MARKS['space-point'];
  try {
    // Seven digits: some languages part only those of five and more.
    const parts = new Intl.NumberFormat([locale, 'en'], {
      numberingSystem: 'latn',
    }).formatToParts(1_234_567.5);
    const mark = (type: 'group' | 'decimal'): string | undefined =>
      parts.find((part) => part.type === type)?.value;
    return {
      group: (mark('group') ?? group).replace(/\s/, SPACE),
      decimal: mark('decimal') ?? decimal,
    };
  } catch {
    return { group, decimal };
  }
}

/**
 * The locale that numbers are written in on this computer: on Linux that of LC_NUMERIC, as glibc chooses it.
 * @param chosen the locale that Electron found
 */
export function numberLocale(
  environment: Readonly<Record<string, string | undefined>>,
  chosen: string,
): string {
  const named = [environment['LC_ALL'], environment['LC_NUMERIC'], environment['LANG']].find(
    (each) => each !== undefined && each !== '',
  );
  const [locale = ''] = (named ?? '').split(/[.@]/);
  return /^[a-z]{2,3}(_[A-Z]{2})?$/.test(locale) ? locale.replace('_', '-') : chosen;
}
