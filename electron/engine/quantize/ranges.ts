import type { Scheme } from '../../../shared/recipe.ts';
import type { ValueSource } from './chunks.ts';
import type { Grouping } from './layout.ts';
import { percentileOfTensor, percentilesOfGroups, type PercentileRange } from './percentile.ts';
import { groupRanges, type GroupRanges, type TensorStatistics } from './statistics.ts';

/** The range of real values that each group's codes are to span, by the scheme's range method. */
export function rangesOf(
  source: ValueSource,
  grouping: Grouping,
  scheme: Scheme,
  known: TensorStatistics,
): GroupRanges {
  if (scheme.range === 'minmax') return minMaxRanges(source, grouping, known);
  const { percentile } = scheme.range;
  if (grouping.kind !== 'tensor')
    return toRanges(percentilesOfGroups(source, grouping, percentile, scheme.symmetric));
  const { elements, nans, infinities } = known.statistics;
  const finite = elements - nans - infinities;
  return toRanges([percentileOfTensor(source, percentile, scheme.symmetric, finite)]);
}

/** The statistics pass has the ranges of the tensor and of its channels; others take a pass. */
function minMaxRanges(
  source: ValueSource,
  grouping: Grouping,
  known: TensorStatistics,
): GroupRanges {
  if (grouping.kind === 'tensor') {
    const { min, max } = known.statistics;
    return { min: Float64Array.of(min), max: Float64Array.of(max) };
  }
  if (grouping.kind === 'channel' && known.channels?.min.length === grouping.groups)
    return known.channels;
  return groupRanges(source, grouping);
}

function toRanges(ranges: readonly PercentileRange[]): GroupRanges {
  return {
    min: Float64Array.from(ranges, ({ low }) => low),
    max: Float64Array.from(ranges, ({ high }) => high),
  };
}
