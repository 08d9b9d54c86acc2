import { entropyRanges } from './entropy.ts';
import type { IntegerFormat } from './integer-format.ts';
import type { Grouping } from './layout.ts';
import { leastErrorRanges, rangesOfEitherScale } from './mse.ts';
import type { ParameterRule } from './parameters.ts';
import type { GroupRanges, Passes } from './passes.ts';
import { percentileOfTensor, percentilesOfGroups, type PercentileRange } from './percentile.ts';
import type { Scaling } from '../../../shared/scheme.ts';
import { finiteCount, groupRanges, type TensorStatistics } from './statistics.ts';

/** The range of real values that each group's codes are to span, by a range method. */
export function rangesOf(
  passes: Passes,
  grouping: Grouping,
  scaling: Pick<Scaling, 'range' | 'symmetric' | 'signedScale'>,
  known: TensorStatistics,
  rule: ParameterRule,
  format: IntegerFormat,
): GroupRanges {
  const { range, symmetric, signedScale = false } = scaling;
  if (typeof range === 'object' && 'percentile' in range)
    return percentileRanges(passes, grouping, range.percentile, symmetric, known);
  const full = minMaxRanges(passes, grouping, known);
  if (range === 'minmax')
    return signedScale ? rangesOfEitherScale({ passes, grouping, full, rule, format }) : full;
  if (typeof range === 'object') return clippedRanges(full, range.clip, grouping);
  if (range === 'entropy') return entropyRanges(passes, grouping, full, 2 ** (format.bits - 1));
  return leastErrorRanges({ passes, grouping, full, rule, format }, symmetric, signedScale);
}

function percentileRanges(
  passes: Passes,
  grouping: Grouping,
  percent: number,
  symmetric: boolean,
  { statistics }: TensorStatistics,
): GroupRanges {
  if (grouping.kind !== 'tensor')
    return toRanges(percentilesOfGroups(passes, grouping, percent, symmetric));
  return toRanges([percentileOfTensor(passes, percent, symmetric, finiteCount(statistics))]);
}

/** The statistics pass has the ranges of the tensor and of its channels; others take a pass. */
function minMaxRanges(passes: Passes, grouping: Grouping, known: TensorStatistics): GroupRanges {
  if (grouping.kind === 'tensor') {
    const { min, max } = known.statistics;
    return { min: Float64Array.of(min), max: Float64Array.of(max) };
  }
  if (grouping.kind === 'channel' && known.channels?.min.length === grouping.groups)
    return known.channels;
  return groupRanges(passes, grouping);
}

/** The range that was set: of the tensor as it is, of its parts no wider than their values. */
function clippedRanges(
  { min, max }: GroupRanges,
  [low, high]: readonly [number, number],
  { kind }: Grouping,
): GroupRanges {
  if (kind === 'tensor') return { min: Float64Array.of(low), max: Float64Array.of(high) };
  const cut = (value: number): number => Math.min(high, Math.max(low, value));
  return { min: min.map(cut), max: max.map(cut) };
}

function toRanges(ranges: readonly PercentileRange[]): GroupRanges {
  return {
    min: Float64Array.from(ranges, ({ low }) => low),
    max: Float64Array.from(ranges, ({ high }) => high),
  };
}
