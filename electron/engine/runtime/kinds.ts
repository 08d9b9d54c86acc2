import type { RuntimeName } from '../../../shared/formats.ts';
import type { Kernels } from '../../../shared/kernels.ts';
import type { LayerErrors } from '../../../shared/layer-errors.ts';
import type { DescribedSamples, DescribeRequest } from '../calibrate/describe-request.ts';
import type { MomentsRequest, MomentsResult } from '../calibrate/observe-moments.ts';
import type { ObserveRequest, ObserveResult } from '../calibrate/observe.ts';
import type { LayersRequest } from '../layers/measure-layers.ts';
import type { OutputNoise, OutputNoiseRequest } from './output-noise.ts';
import type { PrepareRequest, WrittenModel } from './prepare.ts';
import type { VerifyModelsResult, VerifyRequest } from './verify.ts';

/** Everything a runtime process does: what each kind of request carries, and what it answers. */
export interface RuntimeKinds {
  readonly verify: { readonly request: VerifyRequest; readonly result: VerifyModelsResult };
  readonly observe: { readonly request: ObserveRequest; readonly result: ObserveResult };
  readonly moments: { readonly request: MomentsRequest; readonly result: MomentsResult };
  readonly layers: { readonly request: LayersRequest; readonly result: LayerErrors };
  readonly outputNoise: {
    readonly request: OutputNoiseRequest;
    readonly result: readonly (OutputNoise | null)[];
  };
  readonly describe: { readonly request: DescribeRequest; readonly result: DescribedSamples };
  readonly prepare: { readonly request: PrepareRequest; readonly result: WrittenModel };
  readonly optimize: { readonly request: PrepareRequest; readonly result: Kernels };
}

export type RuntimeKind = keyof RuntimeKinds;

/** A request of any kind; `kind` tells which. */
export type RuntimeRequest<K extends RuntimeKind = RuntimeKind> = {
  readonly [Each in K]: { readonly kind: Each } & RuntimeKinds[Each]['request'];
}[K];

export type RuntimeResult<K extends RuntimeKind = RuntimeKind> = RuntimeKinds[K]['result'];

/** What a process that crashed should have answered. */
const ANSWERS: Readonly<Record<RuntimeKind, string>> = {
  verify: 'outputs',
  observe: 'ranges of activations',
  moments: 'moments of activations',
  layers: 'errors of layers',
  outputNoise: 'the noise of outputs',
  describe: 'a description of samples',
  prepare: 'a prepared model',
  optimize: 'an optimized graph',
};

export function answerOf({ kind }: RuntimeRequest): string {
  return ANSWERS[kind];
}

/** What the process runs: a request without hints is one of onnxruntime's own. */
export function runtimeOf(request: RuntimeRequest): RuntimeName {
  return 'hints' in request ? request.hints.runtime : 'onnxruntime';
}

/** The file that an error of the process names. */
export function subjectOf(request: RuntimeRequest): string {
  return 'exported' in request ? request.exported : request.model;
}
