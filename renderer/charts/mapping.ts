// Where a scheme's codes lie among the weights: r = scale * (code - zeroPoint).
import type { RangeCandidate, SideDetail } from '../../shared/report.ts';
import { granularityOf, scalingOf, type RangeMethod, type Scheme } from '../../shared/scheme.ts';
import { codeRange, rangeWord, sameRange } from '../format/schemes.ts';
import { levelStride, paddedExtent } from './scales.ts';

/** The codes of one group of weights that share a scale, and the values that they stand for. */
export interface Mapping {
  readonly scale: number;
  readonly zeroPoint: number;
  readonly codeLo: number;
  readonly codeHi: number;
  /** The representable range, from the value of one end of the codes to that of the other. */
  readonly lo: number;
  readonly hi: number;
  /** Which group it is, of how many, and what a group is. */
  readonly group: number;
  readonly groups: number;
  readonly unit: 'tensor' | 'channel' | 'block';
}

/** What shares one scale under a scheme. */
export function groupUnit(scheme: Scheme): Mapping['unit'] {
  const granularity = granularityOf(scheme);
  return typeof granularity === 'string' ? granularity : 'block';
}

/**
 * The mapping of the group with the widest range, which holds those of all others when symmetric;
 * null for casts, for tensors left alone and where no scale is known.
 */
export function widestMapping({
  report,
  scales,
}: Pick<SideDetail, 'report' | 'scales'>): Mapping | null {
  const { scheme } = report;
  if (!report.quantized || scheme === null) return null;
  const codes = codeRange(scheme);
  if (codes === null || scales.widest === null) return null;
  const { group, scale, zeroPoint } = scales.widest;
  const [low, high] = [(codes.lo - zeroPoint) * scale, (codes.hi - zeroPoint) * scale];
  return {
    scale,
    zeroPoint,
    codeLo: codes.lo,
    codeHi: codes.hi,
    // A negative scale turns the codes around.
    lo: Math.min(low, high),
    hi: Math.max(low, high),
    group,
    groups: scales.count,
    unit: groupUnit(scheme),
  };
}

/** The value of a code. */
export function valueOf({ scale, zeroPoint }: Mapping, code: number): number {
  return (code - zeroPoint) * scale;
}

/** The values at which level lines are drawn, where a pixel stands for `valuesPerPixel`. */
export function levelValues(mapping: Mapping, valuesPerPixel: number): number[] {
  const stride = levelStride(Math.abs(mapping.scale) / valuesPerPixel);
  const values: number[] = [];
  for (let code = mapping.codeLo; code <= mapping.codeHi; code += stride)
    values.push(valueOf(mapping, code));
  return values;
}

/** The values that the weights' charts share as their x: all weights and the representable range. */
export function weightDomain(
  histogram: { readonly lo: number; readonly hi: number },
  mapping: Mapping | null,
): [number, number] {
  const limits = mapping === null ? [] : [mapping.lo, mapping.hi];
  return paddedExtent([histogram.lo, histogram.hi, ...limits], 0.03);
}

/** One line under the histogram: what a range method would choose for the whole tensor. */
export interface Lane {
  readonly name: string;
  /** NaN while it is searched for. */
  readonly lo: number;
  readonly hi: number;
  /** How a recipe asks for it; null where none can. */
  readonly range: RangeMethod | null;
  /** Whether the shown recipe chooses its range by this method. */
  readonly isChosen: boolean;
}

/** The methods whose lanes come later, as they are searched for. */
const SEARCHED = ['mse', 'entropy'] as const;

/** Lanes of the candidates, of those that are still searched for, and of the recipe's own method. */
export function rangeLanes(
  candidates: readonly RangeCandidate[],
  scheme: Scheme | null,
  mapping: Mapping | null,
): Lane[] {
  const known = new Set(candidates.map(({ method }) => method));
  const isSearched = scheme?.kind === 'affine' || scheme?.kind === 'block';
  const waiting =
    mapping === null || !isSearched ? [] : SEARCHED.filter((method) => !known.has(method));
  const asked = scheme === null || mapping === null ? null : (scalingOf(scheme)?.range ?? null);
  const isAsked = (method: string): boolean => {
    const range = rangeOfMethod(method);
    return asked !== null && range !== null && sameRange(range, asked);
  };
  const lanes = [
    ...candidates.map(({ method, lo, hi }): Lane => {
      const range = rangeOfMethod(method);
      return { name: laneName(method), lo, hi, range, isChosen: isAsked(method) };
    }),
    ...waiting.map((name): Lane => ({
      name,
      lo: NaN,
      hi: NaN,
      range: name,
      isChosen: isAsked(name),
    })),
  ];
  if (asked === null || mapping === null || lanes.some(({ isChosen }) => isChosen)) return lanes;
  const name = rangeWord(asked);
  return [...lanes, { name, lo: mapping.lo, hi: mapping.hi, range: asked, isChosen: true }];
}

/** The range of a recipe that a candidate's method is; null where no recipe can ask for it. */
export function rangeOfMethod(method: string): RangeMethod | null {
  if (method === 'minmax' || method === 'mse' || method === 'entropy') return method;
  const percentile = /^percentile ([\d.]+)$/.exec(method)?.[1];
  return percentile === undefined ? null : { percentile: Number(percentile) };
}

/** What a candidate's lane is called. */
export function laneName(method: string): string {
  return method.replace(/^percentile /, 'p ');
}
