// Which rows the table has and in what order: pure functions over tensor ids.
import type { Role } from '../../shared/model.ts';
import type { LayerActivation } from '../../shared/activations.ts';
import type { LayerError } from '../../shared/layer-errors.ts';
import type { ModelSummary, Side, TensorSummary } from '../../shared/protocol.ts';
import type { Recipe } from '../../shared/recipe.ts';
import { describeScheme } from '../../shared/scheme.ts';
import type { Figures } from './figures.ts';
import { plannedOnce } from './plans.ts';

export type ColumnKey =
  | 'layer'
  | 'histogram'
  | 'op'
  | 'dtype'
  | 'role'
  | 'shape'
  | 'elements'
  | 'bytes'
  | 'schemeA'
  | 'dbA'
  | 'localA'
  | 'accumulatedA'
  | 'bytesA'
  | 'observed'
  | 'outputA'
  | 'outputB'
  | 'schemeB'
  | 'dbB'
  | 'localB'
  | 'accumulatedB'
  | 'bytesB'
  | 'delta';

/** Columns that a person has asked for or sent away; the others are shown as they are by themselves. */
export type ColumnChoice = Readonly<Partial<Record<ColumnKey, boolean>>>;

export interface Sort {
  readonly key: ColumnKey;
  readonly descending: boolean;
}

export type RoleFilter = 'weights' | 'all' | Role;

export interface Filter {
  readonly text: string;
  /** null: every op. */
  readonly op: string | null;
  readonly role: RoleFilter;
  readonly outliersOnly: boolean;
}

/** What sorting and filtering need to know of a row besides its tensor. */
export interface RowFigures {
  readonly a: (tensor: number) => Figures;
  readonly b: (tensor: number) => Figures;
  readonly delta: (tensor: number) => number | null;
  readonly isOutlier: (tensor: number) => boolean;
  readonly name: (tensor: TensorSummary) => string;
  readonly spread: (tensor: number) => number | null;
  /** The output of a layer in mode static. */
  readonly output: (side: Side, tensor: number) => LayerActivation | undefined;
  /** The error of a layer's output, where it was measured. */
  readonly layerError: (side: Side, tensor: number) => LayerError | undefined;
}

export function hasRole(tensor: TensorSummary, role: RoleFilter): boolean {
  if (role === 'all') return true;
  if (role === 'weights') return tensor.role === 'weight' || tensor.role === 'embedding';
  return tensor.role === role;
}

/** The ids of the tensors that pass the filter, in the model's order. */
export function filterRows(
  tensors: readonly TensorSummary[],
  filter: Filter,
  figures: RowFigures,
): number[] {
  const words = filter.text.toLowerCase().split(/\s+/).filter(Boolean);
  const ids: number[] = [];
  for (const tensor of tensors) {
    if (!hasRole(tensor, filter.role)) continue;
    if (filter.op !== null && tensor.op !== filter.op) continue;
    if (filter.outliersOnly && !figures.isOutlier(tensor.id)) continue;
    if (words.length > 0) {
      const text =
        `${tensor.layer}\n${tensor.name}\n${tensor.op}\n${tensor.block ?? ''}`.toLowerCase();
      if (!words.every((word) => text.includes(word))) continue;
    }
    ids.push(tensor.id);
  }
  return ids;
}

type SortValue = string | number | null;

/** The ids in the order of a column; what has no value there comes last, whichever way. Ties keep the model's order. */
export function sortRows(
  ids: readonly number[],
  tensors: readonly TensorSummary[],
  sort: Sort | null,
  figures: RowFigures,
): readonly number[] {
  if (sort === null) return ids;
  const rows = ids.map((id) => ({ id, value: sortValue(tensors[id], sort.key, figures) }));
  const sign = sort.descending ? -1 : 1;
  rows.sort((a, b) => {
    if (a.value === null || b.value === null)
      return Number(a.value === null) - Number(b.value === null) || a.id - b.id;
    return sign * compareValues(a.value, b.value) || a.id - b.id;
  });
  return rows.map((row) => row.id);
}

const collator = new Intl.Collator('en', { numeric: true });

function compareValues(a: string | number, b: string | number): number {
  if (typeof a === 'string' || typeof b === 'string') return collator.compare(String(a), String(b));
  return a === b ? 0 : a < b ? -1 : 1;
}

function sortValue(tensor: TensorSummary | undefined, key: ColumnKey, row: RowFigures): SortValue {
  if (tensor === undefined) return null;
  switch (key) {
    case 'layer':
      return row.name(tensor);
    case 'histogram':
      return row.spread(tensor.id);
    case 'op':
      return tensor.op;
    case 'dtype':
      return tensor.dtype;
    case 'role':
      return tensor.role;
    case 'shape':
      return tensor.shape.join('×');
    case 'elements':
      return tensor.elements;
    case 'bytes':
      return tensor.bytes;
    case 'observed': {
      const observed = row.output('a', tensor.id)?.observed;
      return observed === null || observed === undefined ? null : observed.max - observed.min;
    }
    case 'outputA':
    case 'outputB':
      return row.output(key === 'outputA' ? 'a' : 'b', tensor.id)?.quantized?.scale ?? null;
    case 'localA':
    case 'localB':
      return row.layerError(key === 'localA' ? 'a' : 'b', tensor.id)?.localSqnrDb ?? null;
    case 'accumulatedA':
    case 'accumulatedB':
      return (
        row.layerError(key === 'accumulatedA' ? 'a' : 'b', tensor.id)?.accumulatedSqnrDb ?? null
      );
    case 'delta':
      return row.delta(tensor.id);
    case 'schemeA':
    case 'dbA':
    case 'bytesA':
      return sideValue(row.a(tensor.id), key);
    case 'schemeB':
    case 'dbB':
    case 'bytesB':
      return sideValue(row.b(tensor.id), key);
  }
}

function sideValue(figures: Figures, key: ColumnKey): SortValue {
  if (key === 'bytesA' || key === 'bytesB') return figures.bytes;
  if (key === 'dbA' || key === 'dbB') return figures.scheme === null ? null : (figures.db ?? null);
  if (figures.scheme === null) return 'kept';
  return describeScheme(figures.scheme);
}

/** The sort after a click on a column's head: ascending, descending, the model's order. */
export function nextSort(sort: Sort | null, key: ColumnKey): Sort | null {
  if (sort?.key !== key) return { key, descending: false };
  return sort.descending ? null : { key, descending: true };
}

/** The ops that occur among tensors of a role, most frequent first. */
export function opsOf(tensors: readonly TensorSummary[], role: RoleFilter): readonly string[] {
  const counts = new Map<string, number>();
  for (const tensor of tensors)
    if (hasRole(tensor, role) && tensor.op !== '')
      counts.set(tensor.op, (counts.get(tensor.op) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1] || collator.compare(a[0], b[0])).map(([op]) => op);
}

/** The roles that occur, in the order that they are offered. */
export function rolesOf(tensors: readonly TensorSummary[]): readonly Role[] {
  const order: readonly Role[] = ['weight', 'embedding', 'bias', 'norm', 'constant', 'other'];
  const present = new Set(tensors.map((tensor) => tensor.role));
  return order.filter((role) => present.has(role));
}

/**
 * The one name of each tensor, everywhere on screen: its layer, or its own where several weights share a
 * layer. Where two would have the same, the graph that each sits in follows.
 */
export function rowNames(tensors: readonly TensorSummary[]): readonly string[] {
  const names = namesAlone(tensors);
  const times = new Map<string, number>();
  for (const name of names) times.set(name, (times.get(name) ?? 0) + 1);
  return names.map((name, id) => {
    if (times.get(name) === 1) return name;
    const { graph, name: own } = tensors[id]!;
    const place = own === name ? graph || 'main graph' : own;
    return `${name} (${place})`;
  });
}

function namesAlone(tensors: readonly TensorSummary[]): readonly string[] {
  const counts = new Map<string, number>();
  for (const { layer, role } of tensors)
    if (role === 'weight' || role === 'embedding') counts.set(layer, (counts.get(layer) ?? 0) + 1);
  return tensors.map(({ layer, name, role }) => {
    const isWeight = role === 'weight' || role === 'embedding';
    if (layer === '' || !isWeight) return name;
    if (counts.get(layer) === 1) return layer;
    return name.startsWith(layer) ? name : `${layer} (${name})`;
  });
}

/** The tensor that is shown first: the first that the recipe changes, else the first weight. */
export function firstRow(model: ModelSummary, recipe: Recipe): number | null {
  return (
    firstChanged(model, recipe) ??
    model.tensors.find((each) => hasRole(each, 'weights'))?.id ??
    null
  );
}

function firstChanged({ tensors }: ModelSummary, recipe: Recipe): number | null {
  try {
    return plannedOnce(tensors, recipe).find(({ scheme }) => scheme !== null)?.tensor ?? null;
  } catch {
    // The analysis tells of rules that take too long; the model is open nevertheless.
    return null;
  }
}
