import type { ValueSource } from './chunks.ts';
import { entropyRanges } from './entropy.ts';
import type { IntegerFormat } from './integer-format.ts';
import type { Grouping } from './layout.ts';
import { leastErrorRanges } from './mse.ts';
import type { ParameterRule } from './parameters.ts';
import { percentileOfTensor, percentilesOfGroups, type PercentileRange } from './percentile.ts';
import type { KernelScheme } from './scheme.ts';
import { groupRanges, type GroupRanges, type TensorStatistics } from './statistics.ts';

/** The range of real values that each group's codes are to span, by the scheme's range method. */
export function rangesOf(
  source: ValueSource,
  grouping: Grouping,
  scheme: KernelScheme,
  known: TensorStatistics,
  rule: ParameterRule,
  format: IntegerFormat,
): GroupRanges {
  const { range, symmetric } = scheme;
  if (typeof range === 'object')
    return percentileRanges(source, grouping, range.percentile, symmetric, known);
  const full = minMaxRanges(source, grouping, known);
  if (range === 'minmax') return full;
  if (range === 'entropy') return entropyRanges(source, grouping, full, 2 ** (format.bits - 1));
  return leastErrorRanges(source, grouping, full, symmetric, rule, format);
}

function percentileRanges(
  source: ValueSource,
  grouping: Grouping,
  percent: number,
  symmetric: boolean,
  { statistics: { elements, nans, infinities } }: TensorStatistics,
): GroupRanges {
  if (grouping.kind !== 'tensor')
    return toRanges(percentilesOfGroups(source, grouping, percent, symmetric));
  const finite = elements - nans - infinities;
  return toRanges([percentileOfTensor(source, percent, symmetric, finite)]);
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
