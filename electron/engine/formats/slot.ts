import type { Role } from '../../../shared/model.ts';

/** What a float tensor on one operator input is, and along which of its axes its channels lie. */
export interface Slot {
  readonly role: Role;
  readonly axis: number | null;
}

export const other: Slot = { role: 'other', axis: null };
export const constant: Slot = { role: 'constant', axis: null };
export const bias: Slot = { role: 'bias', axis: null };
export const norm: Slot = { role: 'norm', axis: null };

export function weight(axis: number | null): Slot {
  return { role: 'weight', axis };
}

/** What a tensor of this rank is where its operator wants a channel axis: nothing known when it has no such axis. */
export function atRank(slot: Slot, rank: number): Slot {
  return slot.axis !== null && (slot.axis < 0 || slot.axis >= rank) ? other : slot;
}

/** What a tensor with several uses is: a weight before an embedding, and so on. */
const ORDER: readonly Role[] = ['weight', 'embedding', 'norm', 'bias', 'constant', 'other'];

/** Whether the first role says more of a tensor than the second. */
export function outranks(role: Role, than: Role): boolean {
  return ORDER.indexOf(role) < ORDER.indexOf(than);
}
