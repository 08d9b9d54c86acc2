import type { TensorSummary } from '../../shared/protocol.ts';
import { csv } from '../../shared/csv.ts';
import { fieldsOf } from '../../shared/scheme.ts';
import { rangeWord, schemeSentence } from '../format/schemes.ts';
import { deltaDb, type Figures } from '../state/figures.ts';

/** A row of the table with what both recipes make of it; b is null with compare off. */
export interface TableRow {
  readonly tensor: TensorSummary;
  readonly a: Figures;
  readonly b: Figures | null;
}

const HEAD = ['layer', 'tensor', 'op', 'role', 'dtype', 'shape', 'elements', 'bytes'];

/** The table as CSV with figures at full precision: dB is empty where it is not known or does not exist. */
export function tableCsv(rows: readonly TableRow[]): string {
  const withB = rows.some(({ b }) => b !== null);
  const sideHead = (side: string): string[] => [
    `scheme ${side}`,
    `SQNR ${side} (dB)`,
    `bytes ${side}`,
    `reason ${side}`,
  ];
  const head = [...HEAD, ...sideHead('A'), ...(withB ? [...sideHead('B'), 'B - A (dB)'] : [])];
  const lines = rows.map(({ tensor, a, b }) => [
    tensor.layer,
    tensor.name,
    tensor.op,
    tensor.role,
    tensor.dtype,
    tensor.shape.join('x'),
    tensor.elements,
    tensor.bytes,
    ...side(a),
    ...(b === null ? [] : [...side(b), deltaDb(a, b)]),
  ]);
  return csv([head, ...lines]);
}

function side({ scheme, db, bytes, reason, isFolded }: Figures): (string | number | null)[] {
  return [
    isFolded === true
      ? 'folded'
      : scheme === null
        ? 'kept'
        : schemeSentence(fieldsOf(scheme), rangeWord),
    db ?? null,
    bytes,
    reason,
  ];
}
