import type { Channels } from '../../shared/channels.ts';
import type { DotProduct } from '../../shared/dot-product.ts';
import type { ErrorData } from '../../shared/errors.ts';
import type { TensorRef } from '../../shared/model.ts';
import type { RangeCandidate, SideDetail } from '../../shared/report.ts';
import type { Scales, ScaleSummary } from '../../shared/scales.ts';
import type { WeightRows } from './quantize/solve-tensor.ts';
import type { CodeLayout } from './export/layout.ts';
import type { EncodePlace } from './export/write-model.ts';
import type { ValuesDetail } from './quantize/detail.ts';
import type { QuantizeResult } from './quantize/quantize-tensor.ts';
import type { KernelScheme } from './quantize/scheme.ts';
import type { TensorStatistics } from './quantize/statistics.ts';
import type { SumsOfWeight } from './quantize/weight-excess.ts';
import type { FileSource } from './source.ts';

/** The model's files as a worker opens them itself. */
export type WorkerFiles = readonly Pick<FileSource, 'path' | 'identity' | 'owner'>[];

/** What a worker needs to know of a tensor. */
export type WorkerTensor = Pick<
  TensorRef,
  'id' | 'name' | 'dtype' | 'shape' | 'axis' | 'elements' | 'data' | 'quantization'
>;

/** A tensor as its worker is told of it. */
export function forWorker({
  id,
  name,
  dtype,
  shape,
  axis,
  elements,
  data,
  quantization,
}: TensorRef): WorkerTensor {
  return { id, name, dtype, shape, axis, elements, data, quantization };
}

/** The files that tensors lie in, under their numbers: all of thousands of files in each of thousands of jobs take seconds. */
export function filesOf(files: WorkerFiles, tensors: readonly TensorRef[]): WorkerFiles {
  const used: WorkerFiles[number][] = [];
  for (const { data } of tensors) for (const { file } of data.ranges) used[file] = files[file]!;
  return used;
}

/** What measuring one tensor under one scheme gives: a report without what the plan already knows. */
export type Measures = QuantizeResult;

export interface AnalyzeItem {
  readonly tensor: WorkerTensor;
  readonly scheme: KernelScheme | null;
  /** The first pass, when it was made before. */
  readonly known: TensorStatistics | null;
}

export interface AnalyzedItem {
  readonly tensor: number;
  /** The first pass; null when it was given. */
  readonly pass: TensorStatistics | null;
  readonly measures: Measures | null;
  /** Why this tensor could not be measured under its scheme; the others go on. */
  readonly error: ErrorData | null;
}

/** Measures of a tensor whose scales are summed up. */
export type MeasuredFigures = Omit<Measures, keyof Scales>;

/** Every job a worker does: its parameters and its result. */
export interface Jobs {
  analyze: {
    params: {
      files: WorkerFiles;
      items: readonly AnalyzeItem[];
      /** Whether all scales are wanted; without it the lists of the measures are empty. */
      withScales: boolean;
    };
    result: readonly AnalyzedItem[];
  };
  inspect: {
    params: {
      files: WorkerFiles;
      tensor: WorkerTensor;
      known: TensorStatistics | null;
      /** How many bins the histograms have. */
      bins: number;
      /** Whether what no scheme changes is wanted too. */
      withValues: boolean;
      schemes: readonly (KernelScheme | null)[];
    };
    result: {
      readonly values: ValuesDetail | null;
      readonly sides: readonly (InspectedSide | null)[];
    };
  };
  /** Every scale and zero point of a tensor; none of a cast. */
  scales: {
    params: {
      files: WorkerFiles;
      tensor: WorkerTensor;
      known: TensorStatistics | null;
      scheme: KernelScheme;
    };
    result: Scales;
  };
  /** The ranges of a tensor's channels, and their SQNR where there is a scheme; null without a channel axis. */
  channels: {
    params: {
      files: WorkerFiles;
      tensor: WorkerTensor;
      known: TensorStatistics | null;
      scheme: KernelScheme | null;
    };
    result: Channels | null;
  };
  /** What weightExcess gives of a weight under an integer scheme. */
  excess: {
    params: {
      files: WorkerFiles;
      tensor: WorkerTensor;
      known: TensorStatistics | null;
      scheme: KernelScheme;
      sums: SumsOfWeight;
    };
    result: Float64Array;
  };
  /** Scales and codes of a weight by GPTQ, written to a file; what they and the nearest ones leave as errors of outputs. */
  solve: {
    params: {
      files: WorkerFiles;
      tensor: WorkerTensor;
      known: TensorStatistics | null;
      scheme: KernelScheme;
      input: WeightRows;
      /** The file of the input's moments. */
      moments: string;
      out: string;
    };
    /** Null where the moments allow no solution, or the values no integers. */
    result: { readonly error: number; readonly nearest: number } | null;
  };
  /** Ranges of the whole tensor by the methods that search. */
  ranges: {
    params: {
      files: WorkerFiles;
      tensor: WorkerTensor;
      known: TensorStatistics | null;
      scheme: KernelScheme;
    };
    result: readonly RangeCandidate[];
  };
  /** The first values of a tensor, or seeded ones, with a seeded vector. */
  dot: {
    params: {
      files: WorkerFiles;
      tensor: WorkerTensor | null;
      length: number;
      seed: number;
    };
    result: DotProduct;
  };
  encode: {
    params: {
      files: WorkerFiles;
      tensor: WorkerTensor;
      known: TensorStatistics | null;
      scheme: KernelScheme;
      codes: CodeLayout;
      place: EncodePlace;
    };
    result: null;
  };
}

/** A side of the inspector before its report is completed from the plan; `error` when the scheme refused it. */
export type InspectedSide =
  | {
      readonly measures: MeasuredFigures;
      readonly scales: ScaleSummary;
      readonly detail: Omit<SideDetail, 'report' | 'scales'>;
    }
  | { readonly error: ErrorData };
