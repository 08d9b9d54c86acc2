import type { NodeRecord } from '../read/records.ts';
import {
  BOUNDING,
  GUARDING,
  HALF_LARGEST,
  HALF_SMALLEST_NORMAL,
  LARGE_FACTOR,
  REASONS,
  SUMMING,
  WIDE,
  type Reach,
} from './half-tables.ts';

/** What is known of a constant float32 tensor. */
export interface ConstantRange {
  /** The finite element of the greatest magnitude. */
  readonly extreme: number;
  /** The value of all its elements, where they are equal. */
  readonly value: number | null;
}

/** What is known of a value of the graph. */
export interface Flow {
  readonly reach: Reach;
  /** Why it reaches that far. */
  readonly reason: string;
  /** Whether it is the reciprocal of such a value, which a Mul brings back into range. */
  readonly isInverse: boolean;
  readonly constant: ConstantRange | null;
  /** The name that it is a rearrangement of: equal origins multiplied are squares. */
  readonly origin: string;
  /** Whether it is made of integers, of which float16 holds those up to 2048. */
  readonly isCount: boolean;
}

/** What a node does: why it computes in float32, or null, and how far float32 goes on behind it. */
export interface Effect {
  readonly reason: string | null;
  readonly reach: Reach;
  readonly isInverse?: boolean;
  /** Whether it is so only where the result is divided by, or goes into a logarithm or root. */
  readonly isGuard?: boolean;
  /** Whether it squares its input, element by element. */
  readonly isSquare?: boolean;
}

export const FITS: Effect = { reason: null, reach: 0 };

/** The effect of a node of ai.onnx, from what is known of its inputs. */
export function effectOf(node: NodeRecord, inputs: readonly Flow[]): Effect {
  const { opType } = node;
  const far = farthest(inputs);
  const wide = WIDE.get(opType);
  if (wide !== undefined) return { reason: far.reason ?? wide.reason, reach: wide.reach };
  if (SUMMING.has(opType)) return sumEffect(inputs, far);
  if (BOUNDING.has(opType)) return { ...far, reach: 0 };
  switch (opType) {
    case 'Sqrt':
      return rootEffect(far);
    case 'Reciprocal':
      return far.reason === null ? FITS : { ...far, reach: 1, isInverse: true };
    case 'Pow':
      return powerEffect(inputs, far);
    case 'Mul':
      return productEffect(inputs, far);
    case 'Div':
      return quotientEffect(inputs, far);
    case 'Clip':
      return clipEffect(node, inputs);
    default:
      return GUARDING.has(opType) ? guardEffect(node, inputs, far) : far;
  }
}

/** The effect of an operator that passes its inputs' range on. */
function farthest(inputs: readonly Flow[]): Effect {
  const [first, ...rest] = inputs;
  if (first === undefined) return FITS;
  const far = rest.reduce((best, flow) => (flow.reach > best.reach ? flow : best), first);
  if (far.reach === 0) return FITS;
  return { reason: far.reason, reach: far.reach, isInverse: far.isInverse };
}

function sumEffect(inputs: readonly Flow[], far: Effect): Effect {
  const [a, b] = inputs;
  if (far.reach === 2) return { ...far, reach: 1 };
  const isSquare = a !== undefined && b !== undefined && a.origin === b.origin;
  return isSquare ? { reason: REASONS.square, reach: 2 } : FITS;
}

/** A root is in range, but what is divided by it belongs to it. */
function rootEffect(far: Effect): Effect {
  return far.reason === null ? FITS : { ...far, reach: 1 };
}

function powerEffect(inputs: readonly Flow[], far: Effect): Effect {
  const exponent = inputs[1]?.constant?.value ?? null;
  if (exponent === null || exponent > 1) {
    const isSquare = exponent === 2;
    const reason = isSquare ? REASONS.square : REASONS.power;
    return { reason: far.reason ?? reason, reach: 2, isSquare };
  }
  if (exponent < 0) return { reason: far.reason ?? REASONS.power, reach: 1, isInverse: true };
  return exponent === 1 ? far : rootEffect(far);
}

function productEffect(inputs: readonly Flow[], far: Effect): Effect {
  const [a, b] = inputs;
  if (a === undefined || b === undefined) return far;
  if (a.origin === b.origin)
    return { reason: far.reason ?? REASONS.square, reach: 2, isSquare: true };
  if (a.isInverse !== b.isInverse) return { ...far, reach: 0 };
  const factor = a.constant?.value ?? b.constant?.value ?? null;
  return factor === null ? far : scaled(far, factor, factor);
}

/** The effect of a multiplication by a factor, which is stored as a constant. */
function scaled(far: Effect, factor: number, constant: number): Effect {
  const size = Math.abs(factor);
  if (size >= LARGE_FACTOR)
    return { reason: far.reason ?? `a factor of ${shortNumber(factor)}`, reach: 2 };
  if (isTiny(constant)) return { reason: far.reason ?? tinyReason(constant), reach: 0 };
  return size !== 0 && size <= 1 / LARGE_FACTOR ? { ...far, reach: 0 } : far;
}

function quotientEffect(inputs: readonly Flow[], far: Effect): Effect {
  const [a, b] = inputs;
  const divisor = b?.constant?.value ?? null;
  if (divisor !== null && divisor !== 0) return scaled(far, 1 / divisor, divisor);
  if (far.reason === null) return FITS;
  const isInverse = a?.constant !== null && b !== undefined && b.reach > 0;
  return isInverse ? { ...far, reach: 1, isInverse } : { reason: far.reason, reach: 0 };
}

/** What is below or above the bounds never comes out, so that their size is no matter. */
function clipEffect(node: NodeRecord, inputs: readonly Flow[]): Effect {
  const bound = (at: number, name: string): number | null =>
    inputs[at]?.constant?.value ??
    node.attributes.find((attribute) => attribute.name === name)?.real ??
    null;
  const [low, high] = [bound(1, 'min'), bound(2, 'max')];
  const far = farthest(inputs.slice(0, 1));
  const isBounded = high !== null && high <= HALF_LARGEST;
  if (isTiny(low) && far.reason === null)
    return { reason: tinyReason(low), reach: 1, isGuard: true };
  return isBounded ? { ...far, reach: isTiny(low) ? 1 : 0 } : far;
}

function guardEffect(node: NodeRecord, inputs: readonly Flow[], far: Effect): Effect {
  const tiny = inputs.map(({ constant }) => constant?.value).find(isTiny);
  // Float16's infinity does as well as a greater constant where that bounds a value.
  const isBound = node.opType === 'Max' || node.opType === 'Min';
  const used = isBound ? farthest(inputs.filter(({ constant }) => constant === null)) : far;
  if (tiny === undefined || used.reason !== null) return used;
  return { reason: tinyReason(tiny), reach: 1, isGuard: true };
}

/** Whether a number is not 0 and float16 makes it 0 or holds it with less than full precision. */
function isTiny(value: number | null | undefined): value is number {
  return typeof value === 'number' && value !== 0 && Math.abs(value) < HALF_SMALLEST_NORMAL;
}

function tinyReason(value: number): string {
  return `float16 does not hold the constant ${shortNumber(value)} with full precision`;
}

export function shortNumber(value: number): string {
  return String(Number(value.toPrecision(3)));
}
