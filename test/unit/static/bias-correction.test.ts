import { describe, expect, test } from 'vitest';
import type { WeightSums } from '../../../electron/engine/formats/format.ts';
import { Session } from '../../../electron/engine/session.ts';
import { arraySource } from '../../../electron/engine/quantize/chunks.ts';
import { prepareTensor } from '../../../electron/engine/quantize/quantize-tensor.ts';
import { computeStatistics } from '../../../electron/engine/quantize/statistics.ts';
import { weightExcess } from '../../../electron/engine/quantize/weight-excess.ts';
import { schemeOf } from '../../../shared/scheme.ts';
import { testPool } from '../../helpers/engine.ts';
import { recipe } from '../../helpers/export.ts';
import { floatTensor, model, node, randomValues, value } from '../../helpers/onnx-model.ts';
import { exportStatic } from '../../helpers/static-export.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const pool = testPool();
const CORRECTED =
  'int32 with the scales of the input times those of the weight, less what the rounded weight adds on average';

/** The excess of int8 codes of scale 1: values of .25 lose .25, values of .75 gain .25. */
function excessOf(values: readonly number[], sums: Parameters<typeof weightExcess>[2]): number[] {
  const source = arraySource(Float32Array.from(values), 'float32', 3);
  const parameters = { scale: [1], zeroPoint: [0], axis: null };
  const job = prepareTensor({
    ...{ name: 'w', source, shape: [values.length], axis: null },
    scheme: { ...schemeOf({ granularity: 'tensor' }), parameters },
    statistics: computeStatistics(source, null, 4),
  });
  return Array.from(weightExcess(source, job, sums));
}

describe('what rounded weights add', () => {
  const values = [0.25, 0.75, 1, 2.25];
  const multipliers = Float64Array.of(1, 10);

  test('in rows, of each output', () => {
    const sums = { outputs: 2, groups: 1, isColumns: false, multipliers };
    expect(excessOf(values, sums)).toEqual([-0.25 + 2.5, -2.5]);
  });

  test('in columns', () => {
    const sums = { outputs: 2, groups: 1, isColumns: true, multipliers };
    expect(excessOf(values, sums)).toEqual([-0.25, 0.25 - 2.5]);
  });

  test('with multipliers of their own in each group', () => {
    const sums = { outputs: 4, groups: 2, isColumns: false, multipliers };
    expect(excessOf(values, sums)).toEqual([-0.25, 0.25, 0, -2.5]);
  });
});

/** The sums that a plan asks for, of a model of one operator whose input has 2 channels of means 3 and 5. */
function askedOf(
  operator: ReturnType<typeof node>,
  dims: readonly number[],
  outputs: number,
): WeightSums[] {
  const count = dims.reduce((product, size) => product * size, 1);
  const file = writeFile(
    folder,
    model({
      node: [operator],
      input: [value('x', operator.opType === 'Conv' ? [1, 2, 4, 6] : [1, 2])],
      output: [value('y', ['n'])],
      initializer: [
        floatTensor('w', [...dims], randomValues(count, 1)),
        floatTensor('b', [outputs], randomValues(outputs, 2)),
      ],
    }),
  );
  const session = Session.open(file, pool);
  const asked: WeightSums[] = [];
  const wanted = recipe('static-int8', { minElements: 0 });
  const planned = session.tensors.map(({ id, role }) => ({
    ...{ tensor: id, scheme: role === 'weight' ? schemeOf() : null },
    ...{ reason: null, byRule: false },
  }));
  session.opened.planStatic!(planned, {
    recipe: wanted,
    rangeOf: () => ({ low: -1, high: 1 }),
    parametersOf: () => ({ scale: new Array<number>(outputs).fill(1), zeroPoint: [0] }),
    channelsOf: () => ({ means: [3, 5], shape: [1, 2, 4, 6] }),
    excessOf: (sums) => {
      asked.push(sums);
      return null;
    },
    numbersOf: () => [1, 2, 3, 4],
  });
  session.close();
  return asked;
}

const attribute = (name: string, ints: readonly number[]) => ({ name, type: 7, ints: [...ints] });
const group = (i: number) => ({ name: 'group', type: 2, i });

describe('a plan multiplies the weights', () => {
  test('of a Conv with the means of channels, times the share of positions beside the padding', () => {
    const conv = node('Conv', ['x', 'w', 'b'], ['y'], {
      attribute: [attribute('pads', [0, 1, 0, 1])],
    });
    const [sums] = askedOf(conv, [4, 2, 1, 3], 4);
    const shares = [5 / 6, 1, 5 / 6];
    expect(sums).toMatchObject({ operator: 0, outputs: 4, groups: 1, isColumns: false });
    const wanted = [...shares.map((share) => 3 * share), ...shares.map((share) => 5 * share)];
    expect(Array.from(sums!.multipliers)).toEqual(wanted);
  });

  test('of a Conv with strides and dilations', () => {
    const conv = node('Conv', ['x', 'w', 'b'], ['y'], {
      attribute: [
        attribute('pads', [2, 0, 2, 0]),
        attribute('strides', [2, 1]),
        attribute('dilations', [2, 1]),
        group(2),
      ],
    });
    // Rows 0 to 3 with 2 of padding on both sides: windows from rows -2 and 0 on, whose elements are 2 rows apart.
    const [sums] = askedOf(conv, [4, 1, 3, 1], 4);
    expect(sums!.groups).toBe(2);
    expect(Array.from(sums!.multipliers)).toEqual([1.5, 3, 1.5, 2.5, 5, 2.5]);
  });

  test('of a Gemm by whether it is transposed', () => {
    const gemm = (transB: number) =>
      node('Gemm', ['x', 'w', 'b'], ['y'], { attribute: [{ name: 'transB', type: 2, i: transB }] });
    const multipliers = Float64Array.of(3, 5);
    expect(askedOf(gemm(1), [4, 2], 4)).toMatchObject([
      { isColumns: false, outputs: 4, multipliers },
    ]);
    expect(askedOf(gemm(0), [2, 4], 4)).toMatchObject([
      { isColumns: true, outputs: 4, multipliers },
    ]);
  });
});

test('an exported bias is less by what the codes of its weight add on average', async () => {
  const weights = randomValues(16 * 32, 1);
  const file = writeFile(
    folder,
    model({
      node: [node('Relu', ['x'], ['r']), node('Conv', ['r', 'w', 'b'], ['y'])],
      input: [value('x', [1, 32, 4, 4])],
      output: [value('y', [1, 16, 4, 4])],
      initializer: [
        floatTensor('w', [16, 32, 1, 1], weights),
        floatTensor('b', [16], randomValues(16, 2)),
      ],
    }),
  );
  const activations = { dtype: 'uint8', symmetric: false, range: 'minmax' } as const;
  const biasOf = async (biasCorrection: boolean) => {
    const wanted = recipe('static-int8', { activations: { ...activations, biasCorrection } });
    const { plan, observed } = await exportStatic({ pool, folder }, file, wanted);
    const { bias } = plan.operators.find((each) => each.bias !== undefined)!;
    return { bias: bias!, means: observed.get('r')!.channels!.means, weights: plan.weights };
  };
  const [plain, corrected] = [await biasOf(false), await biasOf(true)];
  expect(corrected.weights[plain.bias.tensor]!.reason).toBe(CORRECTED);
  for (let output = 0; output < 16; output++) {
    const row = weights.slice(output * 32, output * 32 + 32);
    const scale = Math.max(...row.map(Math.abs)) / 127;
    const excess = row.reduce(
      (sum, each, at) => sum + (Math.round(each / scale) * scale - each) * plain.means[at]!,
      0,
    );
    const change = corrected.bias.codes[output]! - plain.bias.codes[output]!;
    expect(Math.abs(change + excess / plain.bias.scale[output]!)).toBeLessThan(1.01);
  }
  const largest = Math.max(
    ...plain.bias.codes.map((code, at) => Math.abs(code - corrected.bias.codes[at]!)),
  );
  expect(largest).toBeGreaterThan(20);
});
