import type { ColumnKey } from '../state/table.ts';

export interface Column {
  readonly key: ColumnKey;
  readonly label: string;
  /** Its whole name, for screen readers and the tooltip of its head. */
  readonly name: string;
  /** px; 0 takes the room that is left. */
  readonly width: number;
  /** px in a narrow window, where that is less. */
  readonly narrowWidth?: number;
  readonly isNumber: boolean;
  /** Leaves in a narrow window. */
  readonly isWide: boolean;
  /** Shown with compare on only. */
  readonly isB: boolean;
  readonly edge: 'a' | 'b' | 'd' | null;
}

function column(
  key: ColumnKey,
  label: string,
  name: string,
  width: number,
  rest: Partial<Column> = {},
): Column {
  return {
    key,
    label,
    name,
    width,
    isNumber: false,
    isWide: false,
    isB: false,
    edge: null,
    ...rest,
  };
}

const number = { isNumber: true } as const;

/** Every column of the layers table, in order. */
export const COLUMNS: readonly Column[] = [
  column('layer', 'Layer', 'Layer', 0),
  column('histogram', 'Weights', 'Histogram of the weights, log counts', 52),
  column('op', 'Op', 'Operator', 60, { isWide: true }),
  column('shape', 'Shape', 'Shape', 110),
  column('elements', 'Params', 'Parameters', 64, { ...number, isWide: true }),
  column('bytes', 'kB', 'Size of the original, kB', 54, { ...number, isWide: true }),
  column('schemeA', 'Scheme', 'Scheme of A', 92, { edge: 'a' }),
  column('dbA', 'dB', 'SQNR of A, dB', 46, number),
  column('bytesA', 'kB', 'Size under A, kB', 52, number),
  column('schemeB', 'Scheme', 'Scheme of B', 92, { isB: true, edge: 'b' }),
  column('dbB', 'dB', 'SQNR of B, dB', 46, { ...number, isB: true }),
  column('bytesB', 'kB', 'Size under B, kB', 52, { ...number, isB: true }),
  column('delta', 'Δ dB', 'Difference of SQNR, B − A, dB', 68, {
    ...number,
    isB: true,
    edge: 'd',
    narrowWidth: 50,
  }),
];
