// What the dumbbell chart shows of each layer, and in which order.
import { extent } from 'd3';
import type { TensorSummary } from '../../shared/protocol.ts';
import { change } from '../format/numbers.ts';
import { deltaDb, type Figures } from '../state/figures.ts';

export interface DumbbellRow {
  readonly tensor: number;
  readonly name: string;
  readonly isOutlier: boolean;
  /** SQNR in dB; Infinity where there is no error; null where kept, not known or all zero. */
  readonly a: number | null;
  readonly b: number | null;
  /** B − A, or which recipe keeps the layer. */
  readonly note: string;
}

export interface DumbbellSource {
  readonly figures: { readonly a: (id: number) => Figures; readonly b: (id: number) => Figures };
  readonly isOutlier: (id: number) => boolean;
  readonly name: (id: number) => string;
}

/**
 * A row for each weight that either recipe quantizes, worst first. A row is as bad as the lower of
 * its two SQNRs; those without one come last, in the model's order.
 */
export function dumbbellRows(
  tensors: readonly TensorSummary[],
  { figures, isOutlier, name }: DumbbellSource,
): DumbbellRow[] {
  const rows = tensors
    .filter(({ role }) => role === 'weight' || role === 'embedding')
    .map(({ id }) => ({ id, a: figures.a(id), b: figures.b(id) }))
    .filter(({ a, b }) => a.scheme !== null || b.scheme !== null)
    .map(({ id, a, b }) => ({
      tensor: id,
      name: name(id),
      isOutlier: isOutlier(id),
      a: decibelsOf(a),
      b: decibelsOf(b),
      note: noteOf(a, b),
    }));
  return rows.sort(
    (first, second) => worstOf(first) - worstOf(second) || first.tensor - second.tensor,
  );
}

function decibelsOf({ scheme, db }: Figures): number | null {
  return scheme === null ? null : (db ?? null);
}

function worstOf({ a, b }: DumbbellRow): number {
  // Finite, so that two of them subtract to 0.
  return Math.min(a ?? 1e9, b ?? 1e9, 1e9);
}

function noteOf(a: Figures, b: Figures): string {
  if (a.scheme === null) return a.isFolded === true ? 'A folded' : 'A kept';
  if (b.scheme === null) return b.isFolded === true ? 'B folded' : 'B kept';
  if (a.db === Infinity || b.db === Infinity) return exactNote(a, b);
  const delta = deltaDb(a, b);
  return delta === null || !Number.isFinite(delta) ? '' : change(delta);
}

function exactNote(a: Figures, b: Figures): string {
  if (a.db === b.db) return 'exact';
  return a.db === Infinity ? 'A exact' : 'B exact';
}

/** The decibels that x spans: all finite figures, out to the next ten. */
export function decibelDomain(rows: readonly DumbbellRow[]): [number, number] {
  const values = rows.flatMap(({ a, b }) =>
    [a, b].filter((db): db is number => db !== null && Number.isFinite(db)),
  );
  const [lo = 20, hi = 50] = extent(values) as [number | undefined, number | undefined];
  const floor = Math.floor((lo - 1) / 10) * 10;
  return [floor, Math.max(floor + 10, Math.ceil((hi + 1) / 10) * 10)];
}
