import * as fs from 'node:fs';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import { PreparedModel } from '../../../electron/engine/calibrate/prepared.ts';
import { Session } from '../../../electron/engine/session.ts';
import { StaticModel } from '../../../electron/engine/static-model.ts';
import type { Recipe } from '../../../shared/recipe.ts';
import { testPool } from '../../helpers/engine.ts';
import { recipe } from '../../helpers/export.ts';
import { LITERT_MODELS } from '../../helpers/litert-models.ts';
import { floatTensor, model, node, randomValues, value } from '../../helpers/onnx-model.ts';
import { sameRanges } from '../../helpers/ranges.ts';
import { sharedRuntime } from '../../helpers/shared-runtime.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const pool = testPool();
const { signal } = new AbortController();
const NO_SMALLER = 'the whole export would be at least as large as its source';

/** x [1, 3, 8, 8] -> Conv -> y [1, channels, 6, 6]. */
function convOf(channels: number): string {
  return writeFile(
    folder,
    model({
      node: [node('Conv', ['x', 'w', 'b'], ['y'])],
      input: [value('x', [1, 3, 8, 8])],
      output: [value('y', [1, channels, 6, 6])],
      initializer: [
        floatTensor('w', [channels, 3, 3, 3], randomValues(channels * 27, 1)),
        floatTensor('b', [channels], randomValues(channels, 2)),
      ],
    }),
  );
}

/** A Conv whose codes and scales weigh more than its weights. */
const small = convOf(4);
/** What is prepared of a Conv is larger than it: with so many weights, its export lies between both. */
const between = convOf(13);
const sum = writeFile(
  folder,
  model({
    node: [node('Add', ['x', 'z'], ['y'])],
    input: [value('x', [1, 8]), value('z', [1, 8])],
    output: [value('y', [1, 8])],
  }),
);

test.each<[string, string, string, Recipe, number, string]>([
  [
    'a LiteRT model whose weights the recipe keeps from integer kernels',
    ...(['face.tflite', LITERT_MODELS.faceShort, recipe('int4-block32')] as const),
    ...([53, '21 kept: CONV_2D stays in float: LiteRT'] as const),
  ],
  ['a small Conv', 'conv.onnx', small, recipe('static-int8'), 1, `1 kept: ${NO_SMALLER}`],
  [
    'a Conv of which the prepared copy is larger',
    ...([
      'between.onnx',
      between,
      recipe('static-int8'),
      1,
      `2 kept: ${NO_SMALLER}: preparing it adds `,
    ] as const),
  ],
  ['an Add without weights', 'add.onnx', sum, recipe('ort-static'), 1, `1 Add: ${NO_SMALLER}`],
])(
  '%s stays byte for byte where a static export would be larger',
  async (_, name, file, wanted, idle, found) => {
    const source = Session.open(file, pool);
    const prepared = await PreparedModel.make(source, pool, sharedRuntime, { signal });
    const ranges = sameRanges(prepared.session);
    const copy = new StaticModel(source, prepared, ranges);
    try {
      prepared.use(ranges);
      const { bytesBefore, bytesAfter } = await copy.previewExport(wanted, 'static', { signal });
      const plan = prepared.session.plan(wanted, 'static');
      expect(plan.operators.filter(({ isInteger }) => isInteger)).toEqual([]);
      expect(plan.operators.filter(({ reason }) => reason?.startsWith(NO_SMALLER))).toHaveLength(
        idle,
      );
      expect(plan.activations.filter(({ scheme }) => scheme !== null)).toEqual([]);
      const out = path.join(folder, name);
      expect(bytesAfter).toBe(bytesBefore);
      await expect(
        copy.export(wanted, 'static', out, { signal, refuseUnchanged: true }),
      ).rejects.toMatchObject({
        code: 'UNSUPPORTED',
        details: { found: expect.stringContaining(found) as string },
      });
      expect(fs.existsSync(out)).toBe(false);
      const result = await copy.export(wanted, 'static', out, { signal });
      expect(result).toMatchObject({ bytesAfter, quantized: 0, integerOperators: 0 });
      expect(fs.readFileSync(out).equals(fs.readFileSync(file))).toBe(true);
    } finally {
      prepared.close();
      source.close();
    }
  },
);
