import { bias, other, weight, type Slot } from '../../slot.ts';
import type { NodeRecord } from './records.ts';

/** An integer attribute, or its default where it is absent. */
export function integerAttribute(node: NodeRecord, name: string, fallback: number): number {
  return node.attributes.find((attribute) => attribute.name === name)?.integer ?? fallback;
}

/** Whether the value of an attribute differs between the calls of the function that the node is in. */
export function isVarious(node: NodeRecord, name: string): boolean {
  return node.attributes.some((attribute) => attribute.name === name && attribute.reference !== '');
}

/** An axis attribute counted from the front; out of range where the attribute is. */
export function axisAttribute(
  node: NodeRecord,
  name: string,
  fallback: number,
  rank: number,
): number {
  const axis = integerAttribute(node, name, fallback);
  return axis < 0 ? axis + rank : axis;
}

/** What an input is, by its node and the rank of the tensor. */
export type SlotRule = (node: NodeRecord, rank: number) => Slot;

/** A filter [out, in / groups, ...] with its output channels on an axis. */
export function filter(axis: number): SlotRule {
  return (_, rank) => (rank >= 3 ? weight(axis) : other);
}

/** A matrix, or a stack of them, on one side of a product that may transpose it. */
export function factor(side: 'left' | 'right'): SlotRule {
  const suffix = side === 'left' ? 'A' : 'B';
  return (node, rank) => {
    if (rank < 2) return other;
    if (isVarious(node, `trans${suffix}`) || isVarious(node, `transBatch${suffix}`))
      return weight(null);
    const isTransposed = integerAttribute(node, `trans${suffix}`, 0) !== 0;
    // transBatch moves axis 0 behind the other batch axes, so that it is the matrix's first one.
    const isBatch = integerAttribute(node, `transBatch${suffix}`, 0) !== 0;
    const [rows, columns] = [isBatch ? 0 : rank - 2, rank - 1];
    // The channels of a left-hand constant are its rows, of a right-hand one its columns.
    return weight((side === 'right') === isTransposed ? rows : columns);
  };
}

/** The weights of a recurrent operator: [directions, gates x hidden, inputs]. */
export function recurrent(_node: NodeRecord, rank: number): Slot {
  return rank === 3 ? weight(1) : other;
}

/** What Conv, ConvTranspose and their relatives take at inputs 1 and 2. */
export function convolution(node: NodeRecord, input: number, rank: number, axis: number): Slot {
  if (input === 1) return filter(axis)(node, rank);
  return input === 2 ? bias : other;
}
