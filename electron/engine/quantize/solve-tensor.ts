import type { WeightInput } from '../formats/format.ts';
import { gptq } from './algorithms/gptq.ts';
import type { Solution, WeightMatrix } from './algorithms/algorithm.ts';
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

/**
 * Solve a weight by GPTQ. Scales are searched where the recipe's range is that of the least squared error; other range
 * methods and fixed parameters give scales that stay.
 * @throws AppError NON_FINITE as prepareTensor does
 */
export function solveTensor(
  input: QuantizeInput,
  values: ValueSource,
  { rows, columns, isColumns }: Pick<WeightInput, 'rows' | 'columns' | 'isColumns'>,
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
    rule: isSearched ? parameterRule(scheme, job.grouping.kind, format) : null,
    signedScale: hasSignedScale(scheme),
  };
  const solution = gptq(problem);
  return solution === null ? null : { solution, nearest: nearest(problem).error };
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
