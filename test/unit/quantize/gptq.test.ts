import { describe, expect, test } from 'vitest';
import type { Problem } from '../../../electron/engine/quantize/algorithms/algorithm.ts';
import { orderOf } from '../../../electron/engine/quantize/algorithms/gptq.ts';
import { nearest } from '../../../electron/engine/quantize/algorithms/nearest.ts';
import { arraySource } from '../../../electron/engine/quantize/chunks.ts';
import { integerFormatOf } from '../../../electron/engine/quantize/integer-format.ts';
import { layoutOf } from '../../../electron/engine/quantize/layout.ts';
import { prepareTensor } from '../../../electron/engine/quantize/quantize-tensor.ts';
import { solveTensor } from '../../../electron/engine/quantize/solve-tensor.ts';
import { computeStatistics } from '../../../electron/engine/quantize/statistics.ts';
import { schemeOf, type SchemeFields } from '../../../shared/scheme.ts';
import { normalValues } from '../../helpers/random.ts';
import { bytesOf, float32Of, readGolden } from './goldens.ts';

interface Case {
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  readonly block: number;
  readonly bits: number;
  readonly search: boolean;
  readonly signed: boolean;
  readonly weights: string;
  readonly moments: string;
  readonly codes: string;
  readonly scales: string;
  readonly error: number;
}

const { cases } = readGolden<{ readonly cases: readonly Case[] }>('gptq.json');

/** Solve the weight of a layer [rows, columns], or of its transpose. */
function solve(
  weights: Float32Array,
  [rows, columns]: readonly [number, number],
  moments: Float32Array,
  fields: Partial<SchemeFields>,
  isColumns = false,
  groups = 1,
) {
  const shape = isColumns ? [columns, rows] : [rows, columns];
  const axis = isColumns ? 1 : 0;
  const source = arraySource(weights, 'float32', 100);
  const statistics = computeStatistics(source, layoutOf(shape, axis), 4);
  const scheme = schemeOf({ algorithm: 'gptq', ...fields });
  const input = { name: 'w', source, shape, axis, scheme, statistics };
  const check = (): void => undefined;
  return solveTensor(input, source, { rows, columns, groups, isColumns }, moments, check)!;
}

function fieldsOf({ bits, block, columns, search, signed }: Case): Partial<SchemeFields> {
  return {
    dtype: bits === 4 ? 'int4' : 'int8',
    granularity: block === columns ? 'channel' : { block },
    range: search ? 'mse' : 'minmax',
    signedScale: signed,
  };
}

/** A [rows, columns] matrix with its axes the other way round. */
function transposed<T extends Float32Array | Int8Array>(
  values: T,
  rows: number,
  columns: number,
): T {
  const other = values.slice() as T;
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++)
      other[column * rows + row] = values[row * columns + column]!;
  return other;
}

describe('GPTQ equals the plain reference', () => {
  test.each(cases.map((each) => [each.name, each] as const))('%s', (_, each) => {
    const { rows, columns } = each;
    const { solution } = solve(
      float32Of(each.weights),
      [rows, columns],
      float32Of(each.moments),
      fieldsOf(each),
    );
    expect(Array.from(solution.codes)).toEqual(Array.from(new Int8Array(bytesOf(each.codes))));
    expect(solution.error / each.error).toBeCloseTo(1, 5);
    expect(Array.from(solution.parameters.scale)).toEqual(Array.from(float32Of(each.scales)));
  });

  test('of a weight whose rows are columns of the tensor, as of a MatMul', () => {
    const each = cases[0]!;
    const { rows, columns } = each;
    const weights = transposed(float32Of(each.weights), rows, columns);
    const { solution } = solve(
      weights,
      [rows, columns],
      float32Of(each.moments),
      fieldsOf(each),
      true,
    );
    const wanted = transposed(new Int8Array(bytesOf(each.codes)), rows, columns);
    expect(Array.from(solution.codes)).toEqual(Array.from(wanted));
  });
});

describe('GPTQ', () => {
  const [rows, columns] = [8, 300];
  const weights = normalValues(rows * columns, 3);
  /** Inputs that follow one another: the moment of two columns falls with their distance. */
  const moments = Float32Array.from(
    { length: columns ** 2 },
    (_, at) => 0.9 ** Math.abs(Math.floor(at / columns) - (at % columns)),
  );
  const size = [rows, columns] as const;

  test.each([
    ['int4', 'channel', true],
    ['int8', 'channel', true],
    ['uint4', { block: 32 }, false],
    ['int4', 'tensor', true],
    ['uint8', 'tensor', false],
  ] as const)(
    'halves the output error of nearest codes: %s, %o',
    (dtype, granularity, symmetric) => {
      const solved = solve(weights, size, moments, { dtype, granularity, symmetric, range: 'mse' });
      expect(solved.solution.error).toBeLessThan(solved.nearest / 2);
    },
  );

  test('gives the same codes again', () => {
    const fields = { dtype: 'int4', granularity: { block: 32 }, range: 'mse' } as const;
    const [first, second] = [1, 2].map(() => solve(weights, size, moments, fields).solution);
    expect(second).toEqual(first);
  });

  test('finds nothing where all inputs are zero', () => {
    expect(solve(weights, size, new Float32Array(columns ** 2), { dtype: 'int8' })).toBeNull();
  });

  test('takes the nearest codes where inputs have nothing to do with one another', () => {
    const apart = moments.map((_, at) => (at % (columns + 1) === 0 ? 1 : 0));
    const { solution, nearest: error } = solve(weights, size, apart, { dtype: 'int8' });
    expect(solution.error).toBeCloseTo(error, 10);
  });

  test('keeps groups together in either order', () => {
    const source = arraySource(Float32Array.from({ length: 8 }, (_, at) => at));
    const shape = [1, 8];
    const scheme = schemeOf({ dtype: 'int4', granularity: { block: 4 } });
    const statistics = computeStatistics(source, layoutOf(shape, 0), 4);
    const powers = [1, 2, 1, 1, 5, 9, 5, 7];
    const problem: Problem = {
      values: new Float32Array(8),
      matrix: {
        ...{ rows: 1, columns: 8 },
        index: (_, column) => column,
        group: (_, column) => Math.floor(column / 4),
      },
      job: prepareTensor({ name: 'w', source, shape, axis: 0, scheme, statistics }),
      format: integerFormatOf(scheme),
      rule: null,
      signedScale: false,
      moments: Float32Array.from({ length: 64 }, (_, at) => (at % 9 === 0 ? powers[at / 9]! : 0)),
      check: () => undefined,
    };
    expect(Array.from(orderOf(problem, false))).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(Array.from(orderOf(problem, true))).toEqual([5, 7, 4, 6, 1, 0, 2, 3]);
    expect(Array.from(nearest(problem).codes)).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
  });

  test.each([
    ['channel', false],
    ['channel', true],
    ['tensor', false],
  ] as const)('solves each group of a Conv by itself: %s, columns %j', (granularity, isColumns) => {
    const [groups, own, taps] = [3, 2, 9];
    const all = weights.subarray(0, groups * own * taps);
    const fields = { dtype: 'int4', granularity, range: 'mse' } as const;
    const values = isColumns ? transposed(all, groups * own, taps) : all;
    const momentsOf = (group: number): Float32Array =>
      Float32Array.from({ length: taps ** 2 }, (_, at) =>
        // The inputs of the last group are all 0.
        group === 2 ? 0 : (0.5 + group / 4) ** Math.abs(Math.floor(at / taps) - (at % taps)),
      );
    const together = Float32Array.from([0, 1, 2].flatMap((group) => [...momentsOf(group)]));
    const size = [groups * own, taps] as const;
    const solved = solve(values, size, together, fields, isColumns, groups);
    const found = isColumns
      ? transposed(Int8Array.from(solved.solution.codes), taps, groups * own)
      : solved.solution.codes;
    const { scale } = solved.solution.parameters;
    for (let group = 0; group < 2; group++) {
      const part = all.subarray(group * own * taps, (group + 1) * own * taps);
      if (granularity === 'tensor') continue;
      const alone = solve(part, [own, taps], momentsOf(group), fields).solution;
      expect([...found.subarray(group * own * taps, (group + 1) * own * taps)]).toEqual([
        ...alone.codes,
      ]);
      expect([...scale.subarray(group * own, (group + 1) * own)]).toEqual([
        ...alone.parameters.scale,
      ]);
    }
    expect(solved.solution.error).toBeLessThan(solved.nearest);
  });
});
