import { dtypeOf } from '../../../../../shared/dtypes.ts';
import { numberOf, tablesOf, vectorOf, type TableNode } from '../read/nodes.ts';
import type { PagedBytes } from '../read/paged-bytes.ts';
import { dtypeOfType } from '../read/tensor-types.ts';
import { valuesOf } from '../read/values.ts';

/** LiteRT aligns each tensor to a cache line (kDefaultTensorAlignment). */
const ALIGNMENT = 64;
/** Values that are planned: the time grows with their square, and no model of a device without much memory has more. */
const MOST_VALUES = 5000;

/** A value in the arena: what it takes, and the operators between which it lives. */
export interface Lifetime {
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
}

interface Placed extends Lifetime {
  readonly offset: number;
}

/**
 * Bytes of memory for values between operators, as LiteRT's ArenaPlanner places them: those that live all the time
 * first, then the largest ones, each in the smallest gap among those that live when it does.
 */
export function arenaSize(values: readonly Lifetime[]): number {
  const end = values.reduce((most, { last }) => Math.max(most, last), 0);
  const isAlways = ({ first, last }: Lifetime): boolean => first === 0 && last === end;
  const ordered = [...values].sort(
    (a, b) => Number(isAlways(b)) - Number(isAlways(a)) || b.bytes - a.bytes || a.first - b.first,
  );
  const placed: Placed[] = [];
  for (const value of ordered) {
    const offset = gapFor(value, placed);
    const at = placed.findIndex((each) => each.offset > offset);
    placed.splice(at < 0 ? placed.length : at, 0, { ...value, offset });
  }
  return placed.reduce((size, { offset, bytes }) => Math.max(size, offset + bytes), 0);
}

/** @param placed in the order of their offsets */
function gapFor({ bytes, first, last }: Lifetime, placed: readonly Placed[]): number {
  let [best, least, current] = [-1, Infinity, 0];
  for (const each of placed) {
    if (each.last < first || each.first > last) continue;
    const start = Math.ceil(current / ALIGNMENT) * ALIGNMENT;
    const gap = each.offset - start;
    if (bytes <= gap && gap < least) [best, least] = [start, gap];
    current = Math.max(current, each.offset + each.bytes);
  }
  return best >= 0 ? best : Math.ceil(current / ALIGNMENT) * ALIGNMENT;
}

/**
 * The arena of a graph, as it is in the file or as an export writes it; null where it has too many values.
 * @param isStored whether a buffer holds values, by its number
 */
export function arenaOf(
  source: PagedBytes,
  graph: TableNode,
  isStored: (buffer: number) => boolean,
): number | null {
  const tensors = tablesOf(graph, 'tensors');
  const operators = tablesOf(graph, 'operators');
  const bounds = new Map<number, { first: number; last: number }>();
  const use = (tensor: number, first: number, last: number): void => {
    const table = tensors[tensor];
    if (table === undefined || isStored(numberOf(table, 'buffer'))) return;
    const known = bounds.get(tensor) ?? { first, last };
    bounds.set(tensor, { first: Math.min(known.first, first), last: Math.max(known.last, last) });
  };
  const indices = (node: TableNode, name: string): readonly number[] =>
    valuesOf(source, vectorOf(node, name));
  // Inputs and outputs are never written over.
  const end = operators.length;
  for (const tensor of indices(graph, 'inputs')) use(tensor, 0, end);
  for (const [at, operator] of operators.entries())
    for (const tensor of [...indices(operator, 'outputs'), ...indices(operator, 'inputs')])
      use(tensor, at, at);
  for (const tensor of indices(graph, 'outputs')) use(tensor, end, end);
  if (bounds.size > MOST_VALUES) return null;
  return arenaSize(
    [...bounds].map(([tensor, bound]) => ({ ...bound, bytes: bytesOf(source, tensors[tensor]!) })),
  );
}

/** Bytes of a value; those of types without a width, as strings, are none of the arena. */
function bytesOf(source: PagedBytes, tensor: TableNode): number {
  const dtype = dtypeOfType(numberOf(tensor, 'type'));
  const bits = dtype === null ? 0 : dtypeOf(dtype).bits;
  const sizes = valuesOf(source, vectorOf(tensor, 'shape'));
  return Math.ceil((sizes.reduce((product, size) => product * Math.max(1, size), 1) * bits) / 8);
}
