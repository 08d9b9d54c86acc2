import { readFileSync } from 'node:fs';
import * as path from 'node:path';
import { onnx } from 'onnx-proto';
import * as ort from 'onnxruntime-node';
import type { ByteSource } from '../../electron/engine/kernels/blocks.ts';
import { Kernels } from '../../electron/engine/kernels/kernels.ts';
import { simdPasses } from '../../electron/engine/kernels/simd-passes.ts';
import { binsOver } from '../../electron/engine/quantize/histogram.ts';
import { integerFormatOf } from '../../electron/engine/quantize/integer-format.ts';
import { groupingOf } from '../../electron/engine/quantize/layout.ts';
import type { EncodeJob, Passes } from '../../electron/engine/quantize/passes.ts';
import { node, value } from '../helpers/onnx-model.ts';
import { compared, skipped, timed, timedInTurn, type Row } from './measure.ts';
import type { KernelPeers } from './peers.ts';
import { schemeOf } from '../../shared/scheme.ts';

const ELEMENTS = 1 << 24;
const BINS = 2048;

/** Passes over values that lie in the window already, so that no reading is measured. */
function residentPasses(root: string, values: Float32Array): Passes {
  const wasm = readFileSync(path.join(root, 'dist/kernels.wasm'));
  const source: ByteSource = {
    elements: values.length,
    dtype: 'float32',
    read: (target, offset) =>
      target.set(new Uint8Array(values.buffer, values.byteOffset + offset, target.length)),
  };
  return simdPasses(Kernels.instantiate(wasm, values.byteLength), source);
}

async function quantizeLinear(
  values: Float32Array,
  scale: number,
): Promise<() => Promise<unknown>> {
  const { TensorProto } = onnx;
  const initializers = [
    { name: 's', dataType: TensorProto.DataType.FLOAT, floatData: [scale] },
    { name: 'z', dataType: TensorProto.DataType.INT8, int32Data: [0] },
  ];
  const model = onnx.ModelProto.encode({
    irVersion: 8,
    opsetImport: [{ domain: '', version: 13 }],
    graph: {
      name: 'g',
      node: [node('QuantizeLinear', ['x', 's', 'z'], ['y'])],
      initializer: initializers,
      input: [value('x', [values.length])],
      output: [value('y', [values.length], TensorProto.DataType.INT8)],
    },
  }).finish();
  const session = await ort.InferenceSession.create(model, {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
  });
  const feeds = { x: new ort.Tensor('float32', values, [values.length]) };
  return () => session.run(feeds);
}

/** The kernels alone, on one thread, against what does the same. */
export async function kernelRows(
  root: string,
  values: Float32Array,
  peers: KernelPeers | string,
): Promise<Row[]> {
  const given = values.subarray(0, ELEMENTS);
  const passes = residentPasses(root, given);
  const grouping = groupingOf([ELEMENTS], null, 'tensor');
  const { ranges, sums } = passes.firstPass(grouping);
  const [min, max] = [ranges.min[0]!, ranges.max[0]!];
  const scale = Math.fround(Math.max(-min, max) / 127);
  const job: EncodeJob = {
    encoding: {
      kind: 'integer',
      format: integerFormatOf(schemeOf({ granularity: 'tensor' })),
    },
    grouping,
    parameters: { scale: Float64Array.of(scale), zeroPoint: Int32Array.of(0) },
  };
  const quantize = await timed(() => passes.encode(job));
  const run = await quantizeLinear(given, scale);
  // Quantizing a model, every tensor's codes are kept: each run writes to memory that is new.
  const kept: unknown[] = [];
  const linear = await timed(async () => kept.push(await run()));
  kept.length = 0;
  const again = await timed(run);
  const copy = new Float32Array(ELEMENTS);
  const [range, copied] = await timedInTurn(
    () => passes.ranges(grouping),
    () => copy.set(given),
  );
  const bins = binsOver(min, max, BINS);
  const mean = sums.sum / sums.finite;
  const histogram = await timed(() => passes.secondPass(bins, mean, true));
  return [
    compared(
      'quantize and all error sums, int8, 16M floats',
      quantize,
      'onnxruntime-node QuantizeLinear, codes kept',
      linear,
      1.3,
    ),
    // Where its output's memory is used again it is at times twice as fast, so that this row can miss.
    compared(
      'the same',
      quantize,
      'onnxruntime-node QuantizeLinear, codes thrown away',
      again,
      1.3,
    ),
    compared('min and max, 16M floats', range, 'a copy', copied, 1),
    ...histogramRows(histogram, peers),
  ];
}

function histogramRows(ours: number, peers: KernelPeers | string): Row[] {
  const what = 'histogram of 2048 bins and deviations, 16M floats';
  if (typeof peers === 'string')
    return [skipped(what, `${ours.toFixed(1)} ms`, peers, '5x faster')];
  return [
    compared(what, ours, 'numpy.histogram', peers.numpyHistogram, 1 / 5),
    compared(what, ours, 'torch.histc, one thread', peers.torchHistc, 1 / 5),
  ];
}
