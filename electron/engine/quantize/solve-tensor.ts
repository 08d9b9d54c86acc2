import type { WeightInput } from '../formats/format.ts';
import { gptq } from './algorithms/gptq.ts';
import {
  emptyCodes,
  type Problem,
  type Solution,
  type WeightMatrix,
} from './algorithms/algorithm.ts';
import { nearest } from './algorithms/nearest.ts';
import { integerFormatOf } from './integer-format.ts';
import type { Grouping } from './layout.ts';
import { parameterRule } from './parameters.ts';
import { prepareTensor, type QuantizeInput } from './quantize-tensor.ts';
import { hasSignedScale, scalingOf } from '../../../shared/scheme.ts';
import type { ValueSource } from './values.ts';

/** What a solution is worth beside the nearest codes. */
export interface Solved {
  readonly solution: Solution;
  /** The error that the nearest codes leave, in the solution's unit. */
  readonly nearest: number;
}

/** How a weight is the matrix that its operator multiplies inputs with. */
export type WeightRows = Pick<WeightInput, 'rows' | 'columns' | 'groups' | 'isColumns'>;

/**
 * Solve a weight by GPTQ, each group of a Conv by itself: one that gains nothing has the nearest codes. Scales are searched where the recipe's range is that of the least squared error; other range
 * methods and fixed parameters give scales that stay.
 * @throws AppError NON_FINITE as prepareTensor does
 */
export function solveTensor(
  input: QuantizeInput,
  values: ValueSource,
  { rows, columns, groups, isColumns }: WeightRows,
  moments: Float32Array,
  check: () => void,
): Solved | null {
  const { scheme } = input;
  const job = prepareTensor(input);
  const format = integerFormatOf(scheme);
  const index = isColumns
    ? (row: number, column: number) => column * rows + row
    : (row: number, column: number) => row * columns + column;
  const groupOf = groupAt(job.grouping);
  const matrix: WeightMatrix = {
    ...{ rows, columns, index },
    group: (row, column) => groupOf(index(row, column)),
  };
  const isSearched = scheme.parameters === undefined && scalingOf(scheme)?.range === 'mse';
  const problem = {
    ...{ values: valuesOf(values), matrix, job, format, moments, check },
    rule:
      isSearched && isByRow(job.grouping, rows)
        ? parameterRule(scheme, job.grouping.kind, format)
        : null,
    signedScale: hasSignedScale(scheme),
  };
  if (groups > 1) return solveGroups(problem, groups);
  const solution = gptq(problem);
  return solution === null ? null : { solution, nearest: nearest(problem).error };
}

/** Whether an element's group lies in one row, so that scales may be chosen row by row. */
function isByRow(grouping: Grouping, rows: number): boolean {
  return grouping.kind === 'block' || (grouping.kind === 'channel' && grouping.groups === rows);
}

/** Solve the groups of a Conv one by one; null where none has a solution, as of inputs that are all zero. */
function solveGroups(whole: Problem, groups: number): Solved | null {
  const { matrix, job, format, values } = whole;
  const { scale, zeroPoint } = job.parameters;
  const parameters = { scale: scale.slice(), zeroPoint: zeroPoint.slice() };
  const codes = emptyCodes(values.length, format);
  const rows = matrix.rows / groups;
  let [error, nearestError, isSolved] = [0, 0, false];
  for (let first = 0; first < matrix.rows; first += rows) {
    const part = partOf(whole, first, rows);
    const plain = nearest(part);
    const found = gptq(part);
    isSolved ||= found !== null;
    const best = found !== null && found.error < plain.error ? found : plain;
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < matrix.columns; column++) {
        const group = matrix.group(first + row, column);
        parameters.scale[group] = best.parameters.scale[group]!;
        parameters.zeroPoint[group] = best.parameters.zeroPoint[group]!;
        codes[matrix.index(first + row, column)] = best.codes[row * matrix.columns + column]!;
      }
    error += best.error;
    nearestError += plain.error;
  }
  return isSolved ? { solution: { parameters, codes, error }, nearest: nearestError } : null;
}

/** The problem of some rows, with values and moments of their own. */
function partOf(whole: Problem, first: number, rows: number): Problem {
  const { matrix, values, moments } = whole;
  const { columns } = matrix;
  const own = new Float64Array(rows * columns);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++)
      own[row * columns + column] = values[matrix.index(first + row, column)]!;
  const from = (first / rows) * columns * columns;
  return {
    ...whole,
    values: own,
    matrix: {
      ...{ rows, columns },
      index: (row, column) => row * columns + column,
      group: (row, column) => matrix.group(first + row, column),
    },
    moments: moments.subarray(from, from + columns * columns),
  };
}

function valuesOf(source: ValueSource): Float32Array | Float64Array {
  const all =
    source.dtype === 'float64'
      ? new Float64Array(source.elements)
      : new Float32Array(source.elements);
  source.forEachChunk((values, start) => all.set(values, start));
  return all;
}

/** The group of an element by its flat index. */
function groupAt({ kind, layout, block }: Grouping): (index: number) => number {
  const { channels, inner } = layout;
  if (kind === 'tensor') return () => 0;
  if (kind === 'channel') return (index) => Math.floor(index / inner) % channels;
  const blocks = Math.ceil(channels / block);
  return (index) => {
    const row = Math.floor(index / inner);
    const along = Math.floor((row % channels) / block);
    return (Math.floor(row / channels) * blocks + along) * inner + (index % inner);
  };
}
