import * as fs from 'node:fs';
import * as path from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { openModel } from '../../../electron/engine/formats/registry.ts';
import { measureLayersOf } from '../../../electron/engine/runtime/run-models.ts';
import { Session } from '../../../electron/engine/session.ts';
import type { LayerErrors, LayerPart } from '../../../shared/layer-errors.ts';
import { runCommand } from '../../helpers/command-line.ts';
import { testPool } from '../../helpers/engine.ts';
import { recipe } from '../../helpers/export.ts';
import { floatTensor, model, node, randomValues, value } from '../../helpers/onnx-model.ts';
import { sharedRuntime } from '../../helpers/shared-runtime.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const pool = testPool();
const CHANNELS = 16;
/** Powers of two that are far apart. */
const SPREAD = Array.from({ length: CHANNELS }, (_, at) => 2 ** (((at * 7) % 11) - 5));

/** x -> Conv -> BatchNormalization -> Relu -> Conv -> y, with channels between the Convs that are far apart. */
function foldedModel(middle = 'r'): Uint8Array {
  const last = randomValues(8 * CHANNELS * 9, 2).map(
    (each, at) => each / SPREAD[Math.floor(at / 9) % CHANNELS]!,
  );
  const ones = new Array<number>(CHANNELS).fill(1);
  return model({
    node: [
      node('Conv', ['x', 'first'], ['c'], { name: 'one' }),
      node('BatchNormalization', ['c', 'scale', 'shift', 'mean', 'var'], [`${middle}n`], {
        name: 'norm',
      }),
      node('Relu', [`${middle}n`], [middle], { name: 'relu' }),
      node('Conv', [middle, 'last'], ['y'], { name: 'two' }),
    ],
    initializer: [
      floatTensor('first', [CHANNELS, 3, 3, 3], randomValues(CHANNELS * 27, 1)),
      floatTensor('scale', [CHANNELS], SPREAD),
      floatTensor(
        'shift',
        [CHANNELS],
        SPREAD.map((each, at) => each * Math.sin(at)),
      ),
      floatTensor(
        'mean',
        [CHANNELS],
        ones.map((_, at) => at / 40),
      ),
      floatTensor('var', [CHANNELS], ones),
      floatTensor('last', [8, CHANNELS, 3, 3], last),
    ],
    input: [value('x', [1, 3, 12, 12])],
    output: [value('y', [1, 8, 8, 8])],
  });
}

const original = writeFile(folder, foldedModel(), 'folded.onnx');
const out = (name: string): string => path.join(folder, `${name}.onnx`);

async function measured(
  exported: string,
  source = original,
  only?: LayerPart,
): Promise<LayerErrors> {
  const session = Session.open(source, pool);
  const inputs = { inputs: null, samples: 2, seed: 0 };
  const { signal } = new AbortController();
  try {
    return await measureLayersOf(session, sharedRuntime, exported, inputs, { signal }, only);
  } finally {
    session.close();
  }
}

beforeAll(async () => {
  for (const equalize of [true, false]) {
    const name = equalize ? 'even' : 'plain';
    const text = JSON.stringify(recipe('static-int8', { name, minElements: 0, equalize }));
    const file = writeFile(folder, Buffer.from(text), `${name}.json`);
    const ranges = path.join(folder, `${name}-ranges.json`);
    const given = [original, '--recipe', file];
    await runCommand('calibrate', ...given, '--samples', '4', '--out', ranges);
    const args = ['--mode', 'static', '--ranges', ranges, '--out', out(name)];
    const { stdout } = await runCommand('export', ...given, ...args);
    expect(stdout.includes('equalized: the results of 1 layer')).toBe(equalize);
  }
});

describe('the layers of an equalized export', () => {
  test.each([undefined, 'weights', 'activations'] as const)(
    'have the numbers, names and weights that they have without (only: %s)',
    async (only) => {
      const [plain, even] = [
        await measured(out('plain'), original, only),
        await measured(out('even'), original, only),
      ];
      const named = ({ layers }: LayerErrors) =>
        layers.map(({ name, op, operator, tensors }) => ({ name, op, operator, tensors }));
      expect(named(even).length).toBeGreaterThan(1);
      expect(named(even)).toEqual(named(plain));
      expect(even.skipped).toEqual([]);
      for (const { name, localSqnrDb, accumulatedSqnrDb } of even.layers) {
        expect(localSqnrDb, name).toBeGreaterThan(28);
        expect(accumulatedSqnrDb, name).toBeGreaterThan(28);
      }
    },
  );

  test.each(['renamed', 'noted'])(
    'are not measured where the original (%s) cannot have the same factors',
    async (name) => {
      fs.writeFileSync(out('renamed'), foldedModel('other'));
      fs.copyFileSync(original, out('noted'));
      const opened = openModel(original);
      const exponents = SPREAD.map((each) => Math.log2(each));
      const layer = { name: 'one', result: 'rn', takers: ['two'], exponents };
      opened.noteEqualization!(out('noted'), { layers: [layer], left: [] });
      opened.close();
      const { samples, layers, skipped } = await measured(out('even'), out(name));
      expect([samples, layers]).toEqual([0, []]);
      expect(skipped).toContainEqual({
        name: 'two',
        reason:
          'is not measured: equalization scaled values of the export by factors that the original does not have',
      });
    },
  );

  test('are measured beside an export with the same factors', async () => {
    const { layers } = await measured(out('even'), out('even'));
    for (const { name, accumulatedSqnrDb } of layers)
      expect(accumulatedSqnrDb, name).toBe(Infinity);
  });
});
