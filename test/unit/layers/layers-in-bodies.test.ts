import { expect, test } from 'vitest';
import { measureLayersOf } from '../../../electron/engine/runtime/run-models.ts';
import { Session } from '../../../electron/engine/session.ts';
import { LAYER_PARTS, type LayerErrors, type LayerPart } from '../../../shared/layer-errors.ts';
import { bodyOf, ifModel, loopModel } from '../../helpers/body-models.ts';
import { testPool } from '../../helpers/engine.ts';
import { recipe } from '../../helpers/export.ts';
import { floatTensor, model, node, randomValues, value } from '../../helpers/onnx-model.ts';
import { sharedRuntime } from '../../helpers/shared-runtime.ts';
import { exportStatic } from '../../helpers/static-export.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const pool = testPool();
const { signal } = new AbortController();
const SAMPLES = { inputs: null, samples: 6, seed: 1 };

/** Errors of the layers of a static export, by what of it is measured. */
async function layersOf(bytes: Uint8Array, parts: readonly (LayerPart | undefined)[]) {
  const file = writeFile(folder, bytes);
  const { out } = await exportStatic({ pool, folder }, file, recipe('static-int8'), SAMPLES);
  const session = Session.open(file, pool);
  const found: LayerErrors[] = [];
  for (const only of parts)
    found.push(await measureLayersOf(session, sharedRuntime, out, SAMPLES, { signal }, only));
  session.close();
  return found;
}

/** Weights that are codes of int8 with scale 1/512 in each column, so that nothing is lost of them. */
function exactWeight(name: string, seed: number) {
  const codes = randomValues(32 * 32, seed).map((each, at) =>
    at < 32 ? 127 : Math.round(each * 127),
  );
  return floatTensor(
    name,
    [32, 32],
    codes.map((code) => code / 512),
  );
}

/** A branch that multiplies a value of the main graph. */
const branch = (name: string) =>
  bodyOf(name, {
    name,
    node: [node('MatMul', ['h', `w_${name}`], ['t']), node('MatMul', ['t', `v_${name}`], ['b'])],
    output: [value('b', [2, 32])],
  });

/** A value of the main graph that both branches of an If take, and a Loop behind it with a product of its own. */
function exactModel(): Uint8Array {
  const body = {
    name: 'body',
    node: [
      node('MatMul', ['s', 'w_loop'], ['a']),
      node('MatMul', ['a', 'v_loop'], ['c']),
      node('Tanh', ['c'], ['next']),
      node('Identity', ['go'], ['on']),
    ],
    input: [value('i', [], 7), value('go', [], 9), value('s', [2, 32])],
    output: [value('on', [], 9), value('next', [2, 32])],
  };
  return model({
    node: [
      // One Gemm once the model is prepared; Sin takes x in float.
      node('MatMul', ['x', 'w_in'], ['p']),
      node('Add', ['p', 'bias'], ['h']),
      node('Sin', ['x'], ['wave']),
      node('ReduceMean', ['x'], ['m'], { attribute: [{ name: 'keepdims', type: 2, i: 0 }] }),
      node('Greater', ['m', 'zero'], ['positive']),
      node('If', ['positive'], ['g'], {
        name: 'choose',
        attribute: [branch('then_branch'), branch('else_branch')],
      }),
      node('Loop', ['times', '', 'g'], ['last'], {
        name: 'cell',
        attribute: [bodyOf('body', body)],
      }),
      node('MatMul', ['last', 'w_out'], ['z']),
    ],
    input: [value('x', [2, 32])],
    output: [value('z', [2, 32]), value('wave', [2, 32])],
    initializer: [
      floatTensor('zero', [], [0]),
      floatTensor('bias', [32], randomValues(32, 9)),
      { name: 'times', dataType: 7, dims: [], int64Data: [3] },
      ...['in', 'then_branch', 'else_branch', 'loop', 'out'].map((name, at) =>
        exactWeight(`w_${name}`, at + 1),
      ),
      ...['then_branch', 'else_branch', 'loop'].map((name, at) => exactWeight(`v_${name}`, at + 6)),
    ],
  });
}

test('activations alone are all of the error where no weight loses anything, those of bodies included', async () => {
  const [all, activations] = await layersOf(exactModel(), [undefined, 'activations']);
  // Sin takes x in float in the export as well.
  expect(activations!.layers.map(({ name }) => name)).toEqual(['MatMul_p', 'MatMul_z']);
  const [whole, alone] = [all!.layers.at(-1)!, activations!.layers.at(-1)!];
  expect(alone.localSqnrDb).toBeCloseTo(whole.localSqnrDb!, 1);
  expect(alone.accumulatedSqnrDb).toBeCloseTo(whole.accumulatedSqnrDb!, 1);
  expect(whole.accumulatedSqnrDb).toBeLessThan(35);
  const names = ({ skipped }: LayerErrors) =>
    skipped.map(({ name, reason }) => `${name} ${reason}`);
  expect(new Set(names(activations!))).toEqual(new Set(names(all!)));
});

test('names no operator without a weight that was fused into another', async () => {
  const [{ skipped }] = (await layersOf(loopModel(), [undefined])) as [LayerErrors];
  const names = skipped.map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining(['MatMul_a', 'Gemm_g']));
  expect(names).not.toContain('Add_sum');
});

test('names the layers of each body once, whatever of them is measured', async () => {
  for (const { layers, skipped } of await layersOf(ifModel(), [undefined, ...LAYER_PARTS])) {
    expect(layers).toEqual([]);
    for (const name of ['Conv_h', 'Gemm_out'])
      for (const body of ['choose.then_branch', 'choose.else_branch']) {
        const reason = `is in ${body}, and layers of bodies are not measured`;
        expect(skipped.filter((each) => each.name === name && each.reason === reason)).toHaveLength(
          1,
        );
      }
    // What rounds values is no layer.
    expect(skipped.map(({ name }) => name).join()).not.toMatch(/Linear|restored/);
  }
});
