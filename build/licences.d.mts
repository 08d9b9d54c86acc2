/** A package, its licence's SPDX name and the licence's text. */
interface Entry {
  readonly name: string;
  readonly version: string;
  readonly identifier?: string;
  readonly text?: string;
}
export function licenceFaults(entries: readonly Entry[]): readonly string[];
export function licencesText(bundled: readonly (readonly Entry[])[]): string;
