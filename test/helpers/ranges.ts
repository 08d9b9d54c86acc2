import { valueKey } from '../../shared/graph.ts';
import type { Ranges } from '../../shared/ranges.ts';
import type { Session } from '../../electron/engine/session.ts';

/** As if calibration had observed the same range, [-2, 3], of every value but those that it skipped. */
export function sameRanges({ opened }: Session, skipped: Ranges['skipped'] = []): Ranges {
  const observed = { min: -2, max: 3, mean: 0, power: 1, count: 100, nonFinite: 0, histogram: [] };
  const values = opened
    .graph()
    .values.map(valueKey)
    .filter((name) => skipped.every((each) => each.name !== name))
    .map((name) => ({ name, ...observed }));
  return { samples: 1, values, skipped };
}
