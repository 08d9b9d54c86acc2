// Layers that are alike in every block of a stack, as one row of the table.
import { smallest } from '../../shared/lists.ts';
import type { TensorSummary } from '../../shared/protocol.ts';
import { sameScheme } from '../format/schemes.ts';
import type { Figures } from './figures.ts';

/** A row of the table: one tensor, or one for each block of a stack. */
export interface TableRow {
  /** The tensor that stands for the row: the first of its members in the order shown. */
  readonly id: number;
  readonly members: readonly number[];
  /** What the tensor shares with its like in other blocks; null where no block repeats. */
  readonly group: string | null;
}

/** Where blocks repeat: what a tensor has in common with its like in the others. */
export function groupKey(tensor: TensorSummary): string | null {
  const { block, layer, name, op, role, dtype, shape } = tensor;
  if (block === undefined || !block.includes('..')) return null;
  return [block, name.slice(layer.length), op, role, dtype, shape.join('x')].join('\n');
}

/** The ids of a tensor's like in every block of its stack, itself among them, where blocks repeat; else itself alone. */
export function inEveryBlock(tensors: readonly TensorSummary[], id: number): readonly number[] {
  const wanted = tensors[id] === undefined ? null : groupKey(tensors[id]);
  if (wanted === null) return [id];
  return tensors.filter((tensor) => groupKey(tensor) === wanted).map((tensor) => tensor.id);
}

/** Rows for ids in the order given. A group stands where its first member does: one row, or all its members where it is spread out. */
export function groupRows(
  ids: readonly number[],
  keys: readonly (string | null)[],
  isSpread: (group: string) => boolean,
): readonly TableRow[] {
  const members = new Map<string, number[]>();
  for (const id of ids) {
    const group = keys[id] ?? null;
    if (group === null) continue;
    const known = members.get(group);
    if (known === undefined) members.set(group, [id]);
    else known.push(id);
  }
  return ids.flatMap((id): TableRow[] => {
    const group = keys[id] ?? null;
    if (group === null) return [{ id, members: [id], group }];
    const own = members.get(group) ?? [id];
    if (own[0] !== id) return [];
    return isSpread(group)
      ? own.map((member) => ({ id: member, members: [member], group }))
      : [{ id, members: own, group }];
  });
}

/** The name of a row of several: its layer with the span of blocks, and what follows the layer in a tensor's name. */
export function groupName(tensor: TensorSummary, rowName: string): string {
  const block = tensor.block ?? tensor.layer;
  return rowName === tensor.layer ? block : block + tensor.name.slice(tensor.layer.length);
}

/** What a row of several tensors shows of one recipe. */
export interface GroupFigures extends Figures {
  /** How many different schemes the members have, being left alone among them. */
  readonly schemes: number;
}

/** Bytes added up, and the worst SQNR of those quantized; not known while that of one is not. */
export function groupFigures(members: readonly Figures[]): GroupFigures {
  const schemes: Figures['scheme'][] = [];
  for (const { scheme } of members)
    if (!schemes.some((each) => sameScheme(each, scheme))) schemes.push(scheme);
  const quantized = members.filter(({ scheme }) => scheme !== null);
  return {
    scheme: schemes.find((scheme) => scheme !== null) ?? null,
    schemes: schemes.length,
    reason: members.find(({ reason }) => reason !== null)?.reason ?? null,
    ...(members.every(({ isFolded }) => isFolded === true) ? { isFolded: true } : {}),
    byRule: members.some(({ byRule }) => byRule),
    bytes: members.reduce((sum, { bytes }) => sum + bytes, 0),
    db: worst(quantized.length === 0 ? members : quantized),
    stale: members.some(({ stale }) => stale),
  };
}

function worst(members: readonly Figures[]): number | null | undefined {
  if (members.some(({ db }) => db === undefined)) return undefined;
  const values = members.flatMap(({ db }) => (db === null || db === undefined ? [] : [db]));
  return values.length === 0 ? null : smallest(values);
}
