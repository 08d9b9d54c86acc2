// What the chart of layer errors shows: curves over the order of execution.
import { extent } from 'd3';
import { errorJumps, type LayerError } from '../../shared/layer-errors.ts';
import { decibelsWithUnit } from '../format/numbers.ts';
import { shownName } from '../format/names.ts';

/** The layers of one recipe or file. */
export interface LayerSeries {
  readonly candidate: 'a' | 'b' | 'file';
  readonly layers: readonly LayerError[];
}

/** One place in the order of execution, with what each series has there. */
export interface LayerColumn {
  readonly operator: number;
  readonly name: string;
  readonly op: string;
  readonly tensors: readonly number[];
  readonly errors: Readonly<Partial<Record<LayerSeries['candidate'], LayerError>>>;
}

/** A jump of the accumulated error that is marked and named. */
export interface MarkedJump {
  readonly candidate: LayerSeries['candidate'];
  /** The index of its column. */
  readonly column: number;
  readonly layer: LayerError;
  readonly dropDb: number;
}

/** The layers of all series, each once, in the order of execution. */
export function layerColumns(series: readonly LayerSeries[]): readonly LayerColumn[] {
  const columns = new Map<number, LayerColumn>();
  for (const { candidate, layers } of series)
    for (const layer of layers) {
      const { operator, name, op, tensors } = layer;
      const errors = { ...columns.get(operator)?.errors, [candidate]: layer };
      columns.set(operator, { operator, name, op, tensors, errors });
    }
  return [...columns.values()].sort((a, b) => a.operator - b.operator);
}

/** Jumps that are marked in each series at most. */
const MARKED = 3;

/** The largest drops of the accumulated SQNR in each series, in dB, each at its layer and column. */
export function markedJumps(
  series: readonly LayerSeries[],
  columns: readonly LayerColumn[],
): readonly MarkedJump[] {
  const places = new Map(columns.map(({ operator }, index) => [operator, index]));
  return series.flatMap(({ candidate, layers }) =>
    errorJumps(layers, MARKED).map(({ at, dropDb }) => {
      const layer = layers[at]!;
      return { candidate, column: places.get(layer.operator)!, layer, dropDb };
    }),
  );
}

/** The decibels that y spans: all finite figures, out to the next ten. */
export function errorDomain(series: readonly LayerSeries[]): [number, number] {
  const values = series.flatMap(({ layers }) =>
    layers
      .flatMap(({ localSqnrDb, accumulatedSqnrDb }) => [localSqnrDb, accumulatedSqnrDb])
      .filter((db): db is number => db !== null && Number.isFinite(db)),
  );
  const [lo = 20, hi = 50] = extent(values) as [number | undefined, number | undefined];
  const floor = Math.floor((lo - 1) / 10) * 10;
  return [floor, Math.max(floor + 10, Math.ceil((hi + 1) / 10) * 10)];
}

const LETTERS = { a: 'A', b: 'B', file: 'File' } as const;

/** The lines of a column's tooltip. */
export function columnLines({ op, errors }: LayerColumn): readonly string[] {
  const lines = (['a', 'b', 'file'] as const).flatMap((candidate) => {
    const error = errors[candidate];
    if (error === undefined) return [];
    const [local, accumulated] = [error.localSqnrDb, error.accumulatedSqnrDb];
    return `${LETTERS[candidate]}: local ${decibelsWithUnit(local)}, accumulated ${decibelsWithUnit(accumulated)}`;
  });
  return [shownName(op), ...lines];
}
