import * as fs from 'node:fs';
import workerpool from 'workerpool';
import { AppError, toErrorData } from '../../shared/errors.ts';
import type { Numbers } from '../../shared/lists.ts';
import { summarizeScales, type Scales } from '../../shared/scales.ts';
import { castTensor, encodeTensor } from './export/encode-tensor.ts';
import { FileSource } from './source.ts';
import type {
  AnalyzedItem,
  AnalyzeItem,
  InspectedSide,
  Jobs,
  Measures,
  WorkerFiles,
  WorkerTensor,
} from './jobs.ts';
import type { JobEnvelope, JobResult } from './pool.ts';
import { loadKernels } from './kernels/load.ts';
import { tensorPasses, tensorValues } from './kernels/tensor-passes.ts';
import { channelSqnr, describeSide, describeValues, searchedRanges } from './quantize/detail.ts';
import { dotProduct } from './quantize/dot-product.ts';
import { layoutOf } from './quantize/layout.ts';
import type { Passes } from './quantize/passes.ts';
import { prepareTensor, quantizeTensor, type QuantizeInput } from './quantize/quantize-tensor.ts';
import type { KernelScheme } from './quantize/scheme.ts';
import { writeSolution } from './quantize/solution-file.ts';
import { solveTensor } from './quantize/solve-tensor.ts';
import { computeStatistics, type TensorStatistics } from './quantize/statistics.ts';
import { weightExcess } from './quantize/weight-excess.ts';
import { uniform } from './runtime/random.ts';

/** Bins of the small histogram that a row of the table shows. */
const ROW_BINS = 64;

type Implementation<K extends keyof Jobs> = (
  params: Jobs[K]['params'],
  throwIfCancelled: () => void,
) => Jobs[K]['result'];

/** Make a worker's method of a job: errors become data, and the cancel flag a function that throws. */
function method<K extends keyof Jobs>(
  run: Implementation<K>,
  transfers: (result: Jobs[K]['result']) => readonly Numbers[] = () => [],
): (envelope: JobEnvelope<Jobs[K]['params']>) => InstanceType<typeof workerpool.Transfer> {
  return ({ params, cancelled }) => {
    const flag = new Int32Array(cancelled);
    const throwIfCancelled = (): void => {
      if (Atomics.load(flag, 0) !== 0) throw new AppError('CANCELLED', 'cancelled');
    };
    try {
      throwIfCancelled();
      const value = run(params, throwIfCancelled);
      return answer<K>({ ok: true, value }, transfers(value));
    } catch (error) {
      return answer<K>({ ok: false, error: toErrorData(error) }, []);
    }
  };
}

/** Lists of more bytes are handed over, not copied; of fewer a copy takes less time. */
const TRANSFER_BYTES = 1 << 16;

function answer<K extends keyof Jobs>(
  result: JobResult<Jobs[K]['result']>,
  lists: readonly Numbers[],
): InstanceType<typeof workerpool.Transfer> {
  const buffers = new Set<ArrayBufferLike>();
  for (const list of lists)
    if (ArrayBuffer.isView(list) && list.byteLength > TRANSFER_BYTES) buffers.add(list.buffer);
  return new workerpool.Transfer(result, [...buffers]);
}

function rangesIn(
  ranges: { readonly min: Numbers; readonly max: Numbers } | null | undefined,
): readonly Numbers[] {
  return ranges ? [ranges.min, ranges.max] : [];
}

/** The lists of a worker's result that may be as long as the tensor. */
function listsOf(scales: Scales | null): readonly Numbers[] {
  return scales === null ? [] : [scales.scale, scales.zeroPoint];
}

/**
 * Open those of a model's files that tensors lie in, held against the identity they had, for the
 * time of one job. They keep their numbers: the list has holes where no tensor lies.
 */
function withFiles<T>(
  files: WorkerFiles,
  tensors: readonly WorkerTensor[],
  work: (sources: readonly FileSource[]) => T,
): T {
  const sources: FileSource[] = [];
  try {
    for (const { data } of tensors)
      for (const { file } of data.ranges) sources[file] ??= openFile(files[file]!);
    return work(sources);
  } finally {
    // forEach passes over holes.
    sources.forEach((source) => source.close());
  }
}

function openFile({ path, identity, owner }: WorkerFiles[number]): FileSource {
  return FileSource.open(path, identity, undefined, owner);
}

/** The passes over a tensor's values, by this thread's kernels. */
function valuesOf(
  files: readonly FileSource[],
  tensor: WorkerTensor,
  throwIfCancelled: () => void,
): Passes {
  return tensorPasses(loadKernels(), files, tensor, throwIfCancelled);
}

function firstPass(tensor: WorkerTensor, source: Passes): TensorStatistics {
  const layout = tensor.axis === null ? null : layoutOf(tensor.shape, tensor.axis);
  return computeStatistics(source, layout, ROW_BINS);
}

function analyzeItem(
  files: readonly FileSource[],
  { tensor, scheme, known }: AnalyzeItem,
  withScales: boolean,
  throwIfCancelled: () => void,
): AnalyzedItem {
  const source = valuesOf(files, tensor, throwIfCancelled);
  const statistics = known ?? firstPass(tensor, source);
  const pass = known === null ? statistics : null;
  const { id, name, shape, axis, quantization: stored } = tensor;
  if (scheme === null) return { tensor: id, pass, measures: null, error: null };
  try {
    const full = quantizeTensor({ name, source, shape, axis, scheme, statistics, stored });
    const measures: Measures = withScales ? full : { ...full, scale: [], zeroPoint: [] };
    return { tensor: id, pass, measures, error: null };
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'NON_FINITE') throw error;
    return { tensor: id, pass, measures: null, error: error.toData() };
  }
}

function inspectSide(
  source: Passes,
  { name, shape, axis, quantization: stored }: WorkerTensor,
  scheme: KernelScheme | null,
  statistics: TensorStatistics,
  bins: number,
): InspectedSide | null {
  if (scheme === null) return null;
  try {
    const { result, side } = describeSide(
      { name, source, shape, axis, scheme, statistics, stored },
      bins,
    );
    const { scale, zeroPoint, ...measures } = result;
    return { measures, scales: summarizeScales({ scale, zeroPoint }), detail: side };
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'NON_FINITE') throw error;
    return { error: error.toData() };
  }
}

const analyze: Implementation<'analyze'> = ({ files, items, withScales }, throwIfCancelled) =>
  withFiles(
    files,
    items.map((item) => item.tensor),
    (sources) => items.map((item) => analyzeItem(sources, item, withScales, throwIfCancelled)),
  );

const inspect: Implementation<'inspect'> = (
  { files, tensor, known, bins, withValues, schemes },
  throwIfCancelled,
) =>
  withFiles(files, [tensor], (sources) => {
    const source = valuesOf(sources, tensor, throwIfCancelled);
    const statistics = known ?? firstPass(tensor, source);
    return {
      values: withValues ? describeValues(source, statistics, bins) : null,
      sides: schemes.map((scheme) => inspectSide(source, tensor, scheme, statistics, bins)),
    };
  });

const scales: Implementation<'scales'> = ({ files, tensor, known, scheme }, throwIfCancelled) =>
  withFiles(files, [tensor], (sources) => {
    if (scheme.kind === 'cast') return { scale: [], zeroPoint: [] };
    const source = valuesOf(sources, tensor, throwIfCancelled);
    const statistics = known ?? firstPass(tensor, source);
    const { name, shape, axis, quantization: stored } = tensor;
    return prepareTensor({ name, source, shape, axis, scheme, statistics, stored }).parameters;
  });

const channels: Implementation<'channels'> = ({ files, tensor, known, scheme }, throwIfCancelled) =>
  withFiles(files, [tensor], (sources) => {
    const source = valuesOf(sources, tensor, throwIfCancelled);
    const statistics = known ?? firstPass(tensor, source);
    const { channels: all } = statistics;
    if (all === null) return null;
    const { name, shape, axis, quantization: stored } = tensor;
    const input = { name, source, shape, axis, statistics, stored };
    return { ...all, sqnrDb: scheme === null ? null : sqnrOrNull({ ...input, scheme }) };
  });

/** The SQNR of each channel; null of values that the scheme cannot stand for. */
function sqnrOrNull(input: QuantizeInput): Numbers | null {
  try {
    return channelSqnr(input);
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'NON_FINITE') throw error;
    return null;
  }
}

const excess: Implementation<'excess'> = (
  { files, tensor, known, scheme, sums },
  throwIfCancelled,
) =>
  withFiles(files, [tensor], (sources) => {
    const source = valuesOf(sources, tensor, throwIfCancelled);
    const statistics = known ?? firstPass(tensor, source);
    const { name, shape, axis, quantization: stored } = tensor;
    const job = prepareTensor({ name, source, shape, axis, scheme, statistics, stored });
    return weightExcess(tensorValues(sources, tensor, throwIfCancelled), job, sums);
  });

const solve: Implementation<'solve'> = (
  { files, tensor, known, scheme, input: matrix, moments: file, out },
  throwIfCancelled,
) =>
  withFiles(files, [tensor], (sources) => {
    const source = valuesOf(sources, tensor, throwIfCancelled);
    const statistics = known ?? firstPass(tensor, source);
    if (statistics.statistics.firstNonFinite !== null) return null;
    const { name, shape, axis, quantization: stored } = tensor;
    const values = tensorValues(sources, tensor, throwIfCancelled);
    const bytes = new Uint8Array(fs.readFileSync(file));
    const input = { name, source, shape, axis, scheme, statistics, stored };
    const moments = new Float32Array(bytes.buffer);
    const solved = solveTensor(input, values, matrix, moments, throwIfCancelled);
    if (solved === null) return null;
    writeSolution(out, solved.solution);
    return { error: solved.solution.error, nearest: solved.nearest };
  });

const ranges: Implementation<'ranges'> = ({ files, tensor, known, scheme }, throwIfCancelled) =>
  withFiles(files, [tensor], (sources) => {
    const source = valuesOf(sources, tensor, throwIfCancelled);
    return searchedRanges(source, known ?? firstPass(tensor, source), scheme);
  });

const dot: Implementation<'dot'> = ({ files, tensor, length, seed }, throwIfCancelled) => {
  const next = uniform(seed);
  const drawn = (count: number): Float32Array =>
    Float32Array.from({ length: count }, () => 2 * next() - 1);
  if (tensor === null) return dotProduct(drawn(length), drawn(length));
  const values = withFiles(files, [tensor], (sources) =>
    valuesOf(sources, tensor, throwIfCancelled).firstValues(length),
  );
  const weights =
    tensor.dtype === 'float64' ? Float64Array.from(values) : Float32Array.from(values);
  return dotProduct(weights, drawn(weights.length));
};

const encode: Implementation<'encode'> = (
  { files, tensor, known, scheme, codes, place },
  throwIfCancelled,
) =>
  withFiles(files, [tensor], (sources) => {
    const source = valuesOf(sources, tensor, throwIfCancelled);
    const { name, shape, axis, quantization: stored } = tensor;
    if (scheme.kind === 'cast') {
      castTensor(source, scheme.dtype, place);
      return null;
    }
    const statistics = known ?? firstPass(tensor, source);
    encodeTensor({ name, source, shape, axis, scheme, statistics, stored }, codes, place);
    return null;
  });

workerpool.worker({
  analyze: method(analyze, (items) =>
    items.flatMap(({ pass, measures }) => [...rangesIn(pass?.channels), ...listsOf(measures)]),
  ),
  inspect: method(inspect),
  scales: method(scales, listsOf),
  channels: method(channels, (all) => [...rangesIn(all), ...(all?.sqnrDb ? [all.sqnrDb] : [])]),
  excess: method(excess),
  solve: method(solve),
  ranges: method(ranges),
  dot: method(dot),
  encode: method(encode),
  warm: () => void loadKernels(),
});
