// The plane of size against error: what both the Budget and the Compare view draw.
import { largest, smallest } from '../../shared/lists.ts';
import { decibelsWithUnit, megabytes, THIN } from '../format/numbers.ts';
import type { CurvePoint } from '../../shared/budget-plan.ts';
import { paddedExtent, type Scale } from './scales.ts';

/** A mark: a model of so many bytes at so many dB. */
export interface SizePoint {
  readonly label: string;
  readonly bytes: number;
  readonly sqnrDb: number | null;
}

/** Those whose SQNR has a place on an axis: not exact ones, and not ones without a signal. */
export function placed<T extends CurvePoint>(
  points: readonly T[],
): readonly (T & { readonly sqnrDb: number })[] {
  return points.filter(
    (point): point is T & { readonly sqnrDb: number } =>
      point.sqnrDb !== null && Number.isFinite(point.sqnrDb) && point.bytes > 0,
  );
}

/** The bytes from the least to the most with room beside them, and the dB likewise. */
export function domains(points: readonly CurvePoint[]): {
  readonly bytes: readonly [number, number];
  readonly decibels: readonly [number, number];
} {
  const shown = placed(points);
  const sizes = shown.map(({ bytes }) => bytes);
  const [least, most] = [smallest(sizes), largest(sizes)];
  return {
    bytes: sizes.length === 0 ? [1, 10] : [least / 1.06, most * 1.06],
    decibels: paddedExtent(
      shown.map(({ sqnrDb }) => sqnrDb),
      0.08,
    ),
  };
}

/** A curve that rises in steps: each plan holds until the next one fits. */
export function stepPath(points: readonly CurvePoint[], x: Scale, y: Scale): string {
  const [first, ...rest] = placed(points);
  if (first === undefined) return '';
  const start = `M${at(x(first.bytes))} ${at(y(first.sqnrDb))}`;
  return start + rest.map(({ bytes, sqnrDb }) => `H${at(x(bytes))}V${at(y(sqnrDb))}`).join('');
}

/** The corners of that curve. */
export function stepCorners(
  points: readonly CurvePoint[],
  x: Scale,
  y: Scale,
): { x: number; y: number }[] {
  let level = NaN;
  return placed(points).flatMap(({ bytes, sqnrDb }) => {
    const before = level;
    level = y(sqnrDb);
    const corner = { x: x(bytes), y: level };
    return Number.isNaN(before) ? [corner] : [{ x: corner.x, y: before }, corner];
  });
}

function at(position: number): string {
  return String(Number(position.toFixed(1)));
}

/** The tooltip of a mark. */
export function pointTitle({ label, bytes, sqnrDb }: SizePoint): string {
  return `${label}: ${megabytes(bytes)}${THIN}MB, ${decibelsWithUnit(sqnrDb)}`;
}
