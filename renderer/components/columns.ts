import { largest } from '../../shared/lists.ts';
import { max, sum } from 'd3';
import type { TensorSummary } from '../../shared/protocol.ts';
import { integer, kilobytes, MINUS, shape } from '../format/numbers.ts';
import type { ColumnChoice, ColumnKey } from '../state/table.ts';

export interface Column {
  readonly key: ColumnKey;
  readonly label: string;
  /** Its whole name, for screen readers and the tooltip of its head. */
  readonly name: string;
  readonly isNumber: boolean;
  /** Whether it is shown, where there is room, without being asked for. */
  readonly isShown: boolean;
  /** Whether it can be hidden; those of the recipes cannot. */
  readonly isOptional: boolean;
  /** Shown with compare on only. */
  readonly isB: boolean;
  /** Shown in mode static only. */
  readonly isStatic: boolean;
  /** Shown once the errors of layers are measured. */
  readonly isLayerError: boolean;
  readonly edge: 'a' | 'b' | 'd' | null;
}

function column(key: ColumnKey, label: string, name: string, rest: Partial<Column> = {}): Column {
  return {
    key,
    label,
    name,
    isNumber: false,
    isShown: true,
    isOptional: false,
    isB: false,
    isStatic: false,
    isLayerError: false,
    edge: null,
    ...rest,
  };
}

const number = { isNumber: true } as const;
const optional = { isOptional: true } as const;
const layerError = { ...number, isLayerError: true } as const;
const staticOnly = { ...number, isStatic: true } as const;

/** Every column of the layers table, in order. */
export const COLUMNS: readonly Column[] = [
  column('layer', 'Layer', 'Layer'),
  column('histogram', 'Weights', 'Histogram of the weights, log counts', optional),
  column('op', 'Op', 'Operator', optional),
  column('role', 'Role', 'Role', { ...optional, isShown: false }),
  column('dtype', 'dtype', 'dtype of the original', { ...optional, isShown: false }),
  column('shape', 'Shape', 'Shape', optional),
  column('elements', 'Params', 'Parameters', { ...number, ...optional }),
  column('bytes', 'kB', 'Size of the original, kB', { ...number, ...optional }),
  column('observed', 'Output range', 'Observed range of the output', staticOnly),
  column('schemeA', 'Scheme', 'Scheme of A', { edge: 'a' }),
  column('dbA', 'dB', 'SQNR of A, dB', number),
  column('localA', 'Local', 'Output error of this layer alone under A, dB', layerError),
  column('accumulatedA', 'Accum.', 'Accumulated output error under A, dB', layerError),
  column('bytesA', 'kB', 'Size under A, kB', number),
  column('outputA', 'Output', 'Scale and zero point of the output under A', staticOnly),
  column('schemeB', 'Scheme', 'Scheme of B', { isB: true, edge: 'b' }),
  column('dbB', 'dB', 'SQNR of B, dB', { ...number, isB: true }),
  column('localB', 'Local', 'Output error of this layer alone under B, dB', {
    ...layerError,
    isB: true,
  }),
  column('accumulatedB', 'Accum.', 'Accumulated output error under B, dB', {
    ...layerError,
    isB: true,
  }),
  column('bytesB', 'kB', 'Size under B, kB', { ...number, isB: true }),
  column('outputB', 'Output', 'Scale and zero point of the output under B', {
    ...staticOnly,
    isB: true,
  }),
  column('delta', 'Δ dB', 'Difference of SQNR, B − A, dB', { ...number, isB: true, edge: 'd' }),
];

/** px at both sides of a cell's text. */
const PADDING = 10;
/** The heat of a cell stands out this much around its number. */
const HEAT = 5;
const HISTOGRAM = 42;
const DELTA_BAR = 30;
/** An op's name may be anything; beyond this it is cut and its tooltip has it whole. */
const OP_LIMIT = 96;
const SORT_MARK = '↑ ';
/** Heads are set in 11px, cells in 12px. */
const HEAD_SIZE = 11 / 12;
/** px that a layer's name keeps in any case, and that short ones are given. */
export const LAYER_LEAST = 132;
const LAYER_ROOM = 132;
/** px beside a name: the cell's padding and the outlier's mark; where blocks repeat an arrow and their count too. */
const BESIDE_NAME = 40;
const BESIDE_BLOCKS = 84;
/** px that the layers' column has at most when it is dragged. */
export const LAYER_MOST = 800;

/** px from which on a name is long. */
const LONG_NAME = 240;

/**
 * Those that leave by themselves when there is no room, the first to leave first, and what a name has at most
 * before each does, in px. Long names are those of networks whose layers have equal shapes and sizes: there
 * the name says more than these, and the operator more than the size.
 */
const LEAVING: Readonly<
  Record<'short' | 'long' | 'more', readonly (readonly [ColumnKey, number])[]>
> = {
  short: [
    ['bytes', LAYER_ROOM],
    ['op', LAYER_ROOM],
    ['elements', LAYER_ROOM],
  ],
  long: [
    ['bytes', 260],
    ['elements', 260],
    ['op', 150],
    ['shape', 180],
    ['histogram', 230],
  ],
  // What mode static adds, and the errors of layers, say more than these.
  more: [
    ['bytes', LAYER_ROOM],
    ['elements', LAYER_ROOM],
    ['op', LAYER_ROOM],
    ['shape', LAYER_ROOM],
    ['histogram', LAYER_ROOM],
    ['bytesB', LAYER_ROOM],
    ['bytesA', LAYER_ROOM],
    ['observed', LAYER_ROOM],
  ],
};

export interface SizedColumn extends Column {
  /** px; the layers' names take what is left, unless the person gave them a width. */
  readonly width: number;
}

/** What the columns of a table are chosen by. */
export interface TableRoom {
  readonly tensors: readonly TensorSummary[];
  /** The names of the rows. */
  readonly names: readonly string[];
  /** Whether some rows fold the blocks of a stack. */
  readonly hasBlocks: boolean;
  /** What the scheme cells of both recipes read. */
  readonly schemes: readonly string[];
  readonly choice: ColumnChoice;
  readonly compare: boolean;
  /** Whether the plan is that of mode static. */
  readonly isStatic: boolean;
  /** Whether the errors of layers are measured. */
  readonly hasLayerErrors: boolean;
  /** px of the table; 0 while not known. */
  readonly width: number;
  /** px that the person gave the layers' names; null for what is left. */
  readonly layerWidth: number | null;
  readonly isNarrow: boolean;
  readonly measure: (text: string) => number;
}

/**
 * The columns shown, each as wide as the longest text that it can show, so that no figure is cut and none
 * that arrives later moves anything. Where they do not fit, some leave that the person has not asked for.
 */
export function fitColumns(room: TableRoom): readonly SizedColumn[] {
  const { choice, compare, width } = room;
  let columns = COLUMNS.filter(
    ({ key, isShown, isB, isStatic, isLayerError }) =>
      (compare || !isB) &&
      (room.isStatic || !isStatic) &&
      (room.hasLayerErrors || !isLayerError) &&
      (choice[key] ?? isShown),
  ).map((each) => ({ ...each, width: columnWidth(each, room) }));
  const wanted = Math.max(
    LAYER_ROOM,
    (room.hasBlocks ? BESIDE_BLOCKS : BESIDE_NAME) + widest(room.names, room.measure),
  );
  const isWide = room.isStatic || room.hasLayerErrors;
  const kind = isWide ? 'more' : wanted > LONG_NAME ? 'long' : 'short';
  for (const [key, most] of LEAVING[kind]) {
    const names = room.layerWidth ?? Math.min(wanted, most);
    const taken = sum(columns, (each) => each.width) + names;
    if (width === 0 || taken <= width) continue;
    if (choice[key] !== true) columns = columns.filter((each) => each.key !== key);
  }
  const others = sum(columns, (each) => each.width);
  const layer = Math.max(LAYER_LEAST, room.layerWidth ?? width - others);
  return columns.map((each) => (each.key === 'layer' ? { ...each, width: layer } : each));
}

/** px that the names have in a column of so many. */
export function nameRoom(columnWidth: number, hasBlocks: boolean): number {
  return Math.max(0, columnWidth - (hasBlocks ? BESIDE_BLOCKS : BESIDE_NAME));
}

function columnWidth({ key, label }: Column, room: TableRoom): number {
  if (key === 'layer') return 0;
  const head = room.measure(SORT_MARK + label) * HEAD_SIZE;
  return Math.ceil(Math.max(head, contentWidth(key, room))) + PADDING;
}

function contentWidth(key: ColumnKey, room: TableRoom): number {
  const { tensors, isNarrow, measure } = room;
  switch (key) {
    case 'histogram':
      return HISTOGRAM;
    case 'op':
      return Math.min(OP_LIMIT, widest(new Set(tensors.map(({ op }) => op)), measure));
    case 'role':
      return widest(new Set(tensors.map(({ role }) => role)), measure);
    case 'dtype':
      return widest(new Set(tensors.map(({ dtype }) => dtype)), measure);
    case 'shape':
      return widest(new Set(tensors.map((tensor) => shape(tensor.shape))), measure);
    case 'elements':
      return measure(integer(sum(tensors, ({ elements }) => elements)));
    case 'bytes':
    case 'bytesA':
    case 'bytesB':
      return measure(kilobytes(sum(tensors, ({ bytes }) => bytes)));
    case 'schemeA':
    case 'schemeB':
      return widest(schemeTexts(room), measure);
    case 'dbA':
    case 'dbB':
    case 'localA':
    case 'accumulatedA':
    case 'localB':
    case 'accumulatedB':
      return Math.max(measure('exact'), measure('00.0') + HEAT);
    case 'observed':
      return measure(`${MINUS}00.00 to 00.00`);
    case 'outputA':
    case 'outputB':
      return measure('0.000123, 000');
    case 'delta':
      return measure(`${MINUS}00.0`) + (isNarrow ? 0 : DELTA_BAR);
    case 'layer':
      return 0;
  }
}

/** Room for the usual schemes from the start, and for whatever the plans hold besides. */
function schemeTexts({ tensors, schemes }: TableRoom): Set<string> {
  return new Set([
    'uint8 channel',
    ...schemes,
    ...tensors.map(({ dtype }) => `${dtype} kept`),
    // The totals' count.
    `${integer(tensors.length)} of ${integer(tensors.length)}`,
  ]);
}

function widest(texts: Iterable<string>, measure: (text: string) => number): number {
  return largest([0, ...longest(texts).map(measure)]);
}

/** Those few texts among which the widest is: some of the most characters, some of one fewer. */
function longest(texts: Iterable<string>): readonly string[] {
  const all = [...texts];
  const most = max(all, ({ length }) => length) ?? 0;
  return [most, most - 1].flatMap((length) =>
    all.filter((text) => text.length === length).slice(0, 8),
  );
}
