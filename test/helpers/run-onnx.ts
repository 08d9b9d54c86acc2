import * as ort from 'onnxruntime-node';
import { randomValues } from './onnx-model.ts';
import type { RealModel } from './real-models.ts';

/** These models are small: threads of their own would wait for work, busily, longer than they have any. */
export const ONE_THREAD: ort.InferenceSession.SessionOptions = {
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
};

/** Run a model file in the real runtime on seeded inputs. Outputs by name, as numbers. */
export async function runOnnx(
  file: string,
  feeds: RealModel['feeds'],
  seed = 5,
): Promise<Record<string, number[]>> {
  const session = await ort.InferenceSession.create(file, { logSeverityLevel: 3, ...ONE_THREAD });
  const inputs: Record<string, ort.Tensor> = {};
  for (const [name, { shape, dtype, fill }] of Object.entries(feeds)) {
    const count = shape.reduce((a, b) => a * b, 1);
    inputs[name] =
      dtype === 'int32'
        ? new ort.Tensor('int32', new Int32Array(count).fill(fill ?? 0), [...shape])
        : dtype === 'int64'
          ? new ort.Tensor(
              'int64',
              BigInt64Array.from({ length: count }, () => BigInt(fill ?? 0)),
              [...shape],
            )
          : new ort.Tensor(
              'float32',
              fill === undefined
                ? Float32Array.from(randomValues(count, seed))
                : new Float32Array(count).fill(fill),
              [...shape],
            );
  }
  const outputs = await session.run(inputs);
  await session.release();
  return Object.fromEntries(
    Object.entries(outputs).map(([name, tensor]) => [
      name,
      Array.from(tensor.data as Float32Array, Number),
    ]),
  );
}

const answers = new Map<string, ReturnType<typeof runOnnx>>();

/** What a real model gives for the inputs of runOnnx: run once, however many exports are held to it. */
export function answersOf({ file, feeds }: RealModel): ReturnType<typeof runOnnx> {
  const found = answers.get(file) ?? runOnnx(file, feeds);
  answers.set(file, found);
  return found;
}

/** SQNR in dB of one output against another. */
export function outputSqnr(original: readonly number[], other: readonly number[]): number {
  let [signal, noise] = [0, 0];
  for (const [index, value] of original.entries()) {
    signal += value * value;
    noise += (value - other[index]!) ** 2;
  }
  return noise === 0 ? Infinity : 10 * Math.log10(signal / noise);
}
