import type { AffineDtype } from './affine.ts';
import { dtypeOf, type FixedDtype } from './dtypes.ts';

/** Types that weights can be stored in. q7, q15 and q31 are CMSIS-DSP fixed point. */
export const SCHEME_DTYPES = [
  'int8',
  'uint8',
  'int4',
  'uint4',
  'int16',
  'uint16',
  'int32',
  'float16',
  'bfloat16',
  'float8_e4m3fn',
  'float8_e5m2',
  'q7',
  'q15',
  'q31',
] as const;
export type SchemeDtype = (typeof SCHEME_DTYPES)[number];
export type FloatCast = 'float16' | 'bfloat16' | 'float8_e4m3fn' | 'float8_e5m2';

export type Granularity = 'tensor' | 'channel' | { readonly block: number };
/** How a range is chosen. `mse`: the least squared error; `entropy`: the least KL divergence over 2048 bins. */
export type RangeMethod =
  | 'minmax'
  | 'mse'
  | 'entropy'
  | { readonly percentile: number }
  /** Set by hand: low and high. Channels and blocks have their own extremes, cut to it. */
  | { readonly clip: readonly [number, number] };

/** How codes are chosen. `nearest`: each value's own; `gptq`: for the least error of what the layer computes, on samples. */
export const ALGORITHMS = ['nearest', 'gptq'] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

/** How scales are found in a tensor's values. */
export interface Scaling {
  /** Whether a range reaches as far below 0 as above. */
  readonly symmetric: boolean;
  readonly granularity: Granularity;
  readonly range: RangeMethod;
  /**
   * Whether a scale may also be that of the value furthest from 0 over the lowest code, where that leaves the lesser
   * error; it is negative where that value is positive. Of symmetric int4 and uint4 in blocks, minmax and mse, only.
   */
  readonly signedScale?: boolean | undefined;
}

/** A scheme as recipe files have it: all dtypes have the same fields, and some ignore some of them. schemeOf reads it. */
export interface SchemeFields extends Scaling {
  readonly dtype: SchemeDtype;
  /** LiteRT's narrow range: int8 uses [-127, 127] and int4 [-7, 7], for clipping as well as for the scale. */
  readonly narrowRange?: boolean | undefined;
  /** Integers with scales only; nearest where it is left out. */
  readonly algorithm?: Algorithm | undefined;
  /** Fixed point only: a scale of 2^shift on top of the format's, so that nothing saturates. */
  readonly powerOfTwo?: boolean | undefined;
  /** Fixed point only: 'zero' truncates, as CMSIS-DSP does unless built with rounding. */
  readonly rounding?: 'even' | 'zero' | undefined;
}

/** Values become those of a smaller float type; there are no scales. */
export interface Cast {
  readonly kind: 'cast';
  readonly dtype: FloatCast;
}

interface Codes {
  readonly dtype: AffineDtype;
  readonly symmetric: boolean;
  readonly range: RangeMethod;
  /** Whether the lowest code is left out, for clipping as well as for the scale; of int8 and int4 only. */
  readonly narrowRange: boolean;
  /** Absent where codes are the nearest ones. */
  readonly algorithm?: Exclude<Algorithm, 'nearest'>;
}

/** scale * (code - zero point), with one scale for the tensor or one for each channel. */
export interface Affine extends Codes {
  readonly kind: 'affine';
  readonly granularity: 'tensor' | 'channel';
}

/** scale * (code - zero point), with a scale for each so many values that are summed. */
export interface Block extends Codes {
  readonly kind: 'block';
  readonly block: number;
  /** Absent where scales are those of the whole range of codes. */
  readonly signedScale?: true;
}

/** code / 2^fraction bits. */
export interface FixedPoint {
  readonly kind: 'fixed';
  readonly dtype: FixedDtype;
  readonly rounding: 'even' | 'zero';
  /** How powers of two on top of the format's scale are found, so that nothing saturates; null has none. */
  readonly shift: Scaling | null;
}

/** How one tensor is quantized. Each kind has the fields that change its codes; equal schemes have equal fields. */
export type Scheme = Cast | Affine | Block | FixedPoint;

/** The fields that stand in for those that a rule leaves out when the recipe's default is null. */
export const BASE_SCHEME: SchemeFields = {
  dtype: 'int8',
  symmetric: true,
  granularity: 'channel',
  range: 'minmax',
};

/** What fields say; those that are left out are as in BASE_SCHEME. */
export function schemeOf(fields: Partial<SchemeFields> = {}): Scheme {
  const { dtype, symmetric, granularity, range, ...others } = { ...BASE_SCHEME, ...fields };
  if (isFloatCast(dtype)) return { kind: 'cast', dtype };
  if (isFixedPoint(dtype)) {
    const shift = others.powerOfTwo === true ? { symmetric, granularity, range } : null;
    return { kind: 'fixed', dtype, rounding: others.rounding ?? 'even', shift };
  }
  const narrowRange = others.narrowRange === true && (dtype === 'int8' || dtype === 'int4');
  const { algorithm = 'nearest' } = others;
  const codes = {
    ...{ dtype, symmetric, range, narrowRange },
    ...(algorithm === 'nearest' ? {} : { algorithm }),
  };
  if (typeof granularity !== 'object') return { kind: 'affine', ...codes, granularity };
  const isSigned = others.signedScale === true && takesSignedScale(codes);
  const signed = isSigned ? ({ signedScale: true } as const) : {};
  return { kind: 'block', ...codes, block: granularity.block, ...signed };
}

/**
 * Whether blocks of such codes gain from a scale of either sign: 4 bits have one code more below 0 than above, which
 * symmetric ranges leave half used. Types of more bits gain too little.
 */
function takesSignedScale({ dtype, symmetric, range, narrowRange }: Codes): boolean {
  const isFourBits = dtype === 'int4' || dtype === 'uint4';
  return isFourBits && symmetric && !narrowRange && (range === 'minmax' || range === 'mse');
}

/** The fields of a scheme, which schemeOf makes the same scheme of; those that say nothing of it as presets have them. */
export function fieldsOf(scheme: Scheme): SchemeFields {
  const { dtype } = scheme;
  if (scheme.kind === 'cast') return { ...BASE_SCHEME, dtype };
  if (scheme.kind === 'fixed')
    return {
      ...{ ...BASE_SCHEME, dtype, granularity: 'tensor' },
      ...(scheme.shift === null ? {} : { ...scheme.shift, powerOfTwo: true }),
      ...(scheme.rounding === 'even' ? {} : { rounding: scheme.rounding }),
    };
  const { symmetric, range, narrowRange, algorithm } = scheme;
  return {
    ...{ dtype, symmetric, granularity: granularityOf(scheme), range },
    ...signedScaleOf(scheme),
    ...(narrowRange ? { narrowRange } : {}),
    ...(algorithm === undefined ? {} : { algorithm }),
  };
}

/** A scheme with some of its fields changed. */
export function withFields(scheme: Scheme, change: Partial<SchemeFields>): Scheme {
  return schemeOf({ ...fieldsOf(scheme), ...change });
}

/** How a scheme's scales are found; null where they are given: casts have none, and fixed point has its format's. */
export function scalingOf(scheme: Scheme): Scaling | null {
  switch (scheme.kind) {
    case 'cast':
      return null;
    case 'fixed':
      return scheme.shift;
    case 'affine':
    case 'block': {
      const { symmetric, range } = scheme;
      return { symmetric, granularity: granularityOf(scheme), range, ...signedScaleOf(scheme) };
    }
  }
}

function signedScaleOf(scheme: Scheme): Pick<Block, 'signedScale'> {
  return hasSignedScale(scheme) ? { signedScale: true } : {};
}

/** Whether scales may be negative. */
export function hasSignedScale(scheme: Scheme): boolean {
  return scheme.kind === 'block' && scheme.signedScale === true;
}

/** What shares a scale; the whole tensor where scales are given. */
export function granularityOf(scheme: Scheme): Granularity {
  switch (scheme.kind) {
    case 'cast':
      return 'tensor';
    case 'fixed':
      return scheme.shift?.granularity ?? 'tensor';
    case 'affine':
      return scheme.granularity;
    case 'block':
      return { block: scheme.block };
  }
}

/** Whether several values of a channel share a scale. */
export function isInBlocks(scheme: Scheme): boolean {
  return typeof granularityOf(scheme) === 'object';
}

/** Whether a scheme has LiteRT's narrow range, which leaves the lowest code out: -128 of int8, -8 of int4. */
export function isNarrow(scheme: Scheme): boolean {
  return (scheme.kind === 'affine' || scheme.kind === 'block') && scheme.narrowRange;
}

/** Whether algorithms other than nearest choose codes of a type: integers of up to 8 bits. */
export function takesAlgorithm(dtype: SchemeDtype): boolean {
  const { kind, bits } = dtypeOf(dtype);
  return (kind === 'int' || kind === 'uint') && bits <= 8;
}

/** How codes are chosen. */
export function algorithmOf(scheme: Scheme): Algorithm {
  return ((scheme.kind === 'affine' || scheme.kind === 'block') && scheme.algorithm) || 'nearest';
}

/** How codes are rounded. */
export function roundingOf(scheme: Scheme): 'even' | 'zero' {
  return scheme.kind === 'fixed' ? scheme.rounding : 'even';
}

/**
 * Whether every zero point of a scheme is 0, so that a file that leaves them out says the same: an absent
 * zero point is 0 (ONNX DequantizeLinear), and compressed-tensors stores none of a symmetric scheme.
 */
export function isCentred(scheme: Scheme): boolean {
  if (scheme.kind === 'cast' || scheme.kind === 'fixed') return true;
  return scheme.symmetric && scheme.dtype.startsWith('int');
}

/** Whether values of a dtype are rounded to floats, and have no scales. */
export function isFloatCast(dtype: SchemeDtype): dtype is FloatCast {
  return dtypeOf(dtype).kind === 'float';
}

function isFixedPoint(dtype: SchemeDtype): dtype is FixedDtype {
  return dtypeOf(dtype).kind === 'fixed';
}

/** The type that files store a scheme's codes in: fixed-point values are plain integers there. */
export function storageDtype(dtype: SchemeDtype): Exclude<SchemeDtype, FixedDtype> {
  // Of every type that a recipe may name, the stored one is such a type, too.
  return dtypeOf(dtype).stored as Exclude<SchemeDtype, FixedDtype>;
}

/** A stable short form for tables, such as "int8 channel" or "float16". */
export function describeScheme(scheme: Scheme): string {
  if (scheme.kind === 'cast') return scheme.dtype;
  const granularity = granularityOf(scheme);
  const words = [
    scheme.dtype,
    typeof granularity === 'string' ? granularity : `block ${granularity.block}`,
  ];
  const algorithm = algorithmOf(scheme);
  if (algorithm !== 'nearest') words.push(algorithm);
  return words.join(' ');
}
