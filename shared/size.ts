const UNITS: ReadonlyMap<string, number> = new Map([
  ['', 1],
  ['b', 1],
  ['kb', 1e3],
  ['mb', 1e6],
  ['gb', 1e9],
  ['tb', 1e12],
  ['kib', 2 ** 10],
  ['mib', 2 ** 20],
  ['gib', 2 ** 30],
  ['tib', 2 ** 40],
]);

/** Bytes of a size as people write it: 25MB is 25e6, 24MiB 24 * 2^20, and a plain number bytes. null for anything else. */
export function bytesOfSize(text: string): number | null {
  const [, digits = '', unit = ''] = /^(\d+(?:\.\d+)?) ?([a-z]*)$/i.exec(text) ?? [];
  const bytes = Number(digits) * (UNITS.get(unit.toLowerCase()) ?? NaN);
  const isWhole = Number.isInteger(bytes) || /[kmgt]/i.test(unit);
  return digits !== '' && isWhole && bytes <= Number.MAX_SAFE_INTEGER ? Math.floor(bytes) : null;
}
