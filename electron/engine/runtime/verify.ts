import * as ort from 'onnxruntime-node';
import { AppError } from '../../../shared/errors.ts';
import type { VerifyResult } from '../../../shared/protocol.ts';
import { float16Value } from '../../../shared/float16.ts';
import { OutputTally } from './compare.ts';
import {
  makeInputs,
  SIZE_TRIES,
  type ArrayValue,
  type IndexLimits,
  type InputFacts,
} from './inputs.ts';

/** What a verification finds; the sizes of the files are known to its caller. */
export type VerifyModelsResult = Omit<VerifyResult, 'bytesBefore' | 'bytesAfter'>;

export interface VerifyRequest {
  readonly original: string;
  readonly exported: string;
  readonly samples: number;
  readonly seed: number;
  readonly limits: IndexLimits;
  /** Given samples, by input name; random ones are made where it is null. */
  readonly given: readonly Readonly<Record<string, ArrayValue>>[] | null;
}

/**
 * Run two models in onnxruntime on the same inputs and compare every output.
 * @throws AppError RUNTIME with the runtime's own words when it refuses a model or an input.
 */
export async function verifyModels(
  request: VerifyRequest,
  onProgress: (done: number, of: number) => void,
): Promise<VerifyModelsResult> {
  const original = await load(request.original);
  const exported = await load(request.exported);
  try {
    const samples = await samplesOf(request, original);
    const tallies = new Map(original.outputNames.map((name) => [name, new OutputTally(name)]));
    const times: { before: number[]; after: number[] } = { before: [], after: [] };
    for (const [index, feeds] of samples.entries()) {
      const before = await timed(original, request.original, feeds, times.before);
      const after = await timed(exported, request.exported, feeds, times.after);
      compareOutputs(request.exported, before, after, tallies);
      onProgress(index + 1, samples.length);
    }
    return {
      samples: samples.length,
      seed: request.seed,
      outputs: [...tallies.values()].map((tally) => tally.result()),
      msBefore: median(times.before),
      msAfter: median(times.after),
    };
  } finally {
    await original.release();
    await exported.release();
  }
}

async function load(file: string): Promise<ort.InferenceSession> {
  try {
    return await ort.InferenceSession.create(file, {
      logSeverityLevel: 3,
      executionProviders: ['cpu'],
    });
  } catch (error) {
    throw new AppError(
      'RUNTIME',
      'onnxruntime does not load it',
      { file, found: firstLine(error), expected: 'a model that loads' },
      error,
    );
  }
}

function firstLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.split('\n')[0] ?? text;
}

type Feeds = Record<string, ort.Tensor>;

async function samplesOf(request: VerifyRequest, session: ort.InferenceSession): Promise<Feeds[]> {
  if (request.given !== null) return request.given.map((arrays) => toFeeds(arrays));
  const facts = session.inputMetadata.map((input): InputFacts => {
    if (!input.isTensor)
      throw new AppError('UNSUPPORTED', 'an input that is no tensor cannot be made up', {
        file: request.original,
        field: input.name,
      });
    return { name: input.name, type: input.type, shape: input.shape };
  });
  const attempt = await workingSizes(request, session, facts);
  return Array.from({ length: request.samples }, (_, index) =>
    toFeeds(makeInputs(facts, request.limits, request.seed + index, attempt)),
  );
}

/** The first of the sizes for free dimensions that the original accepts. */
async function workingSizes(
  request: VerifyRequest,
  session: ort.InferenceSession,
  facts: readonly InputFacts[],
): Promise<number> {
  let failure: unknown;
  for (let attempt = 0; attempt < SIZE_TRIES.length; attempt++) {
    try {
      await session.run(toFeeds(makeInputs(facts, request.limits, request.seed, attempt)));
      return attempt;
    } catch (error) {
      if (error instanceof AppError && error.code !== 'LIMIT') throw error;
      failure ??= error;
    }
  }
  throw new AppError(
    'RUNTIME',
    'the original runs on none of the inputs that were made up',
    { file: request.original, found: firstLine(failure), expected: 'inputs given with --inputs' },
    failure,
  );
}

function toFeeds(arrays: Readonly<Record<string, ArrayValue>>): Feeds {
  return Object.fromEntries(
    Object.entries(arrays).map(([name, { type, data, dims }]) => [
      name,
      new ort.Tensor(type as 'float32', data as Float32Array, [...dims]),
    ]),
  );
}

async function timed(
  session: ort.InferenceSession,
  file: string,
  feeds: Feeds,
  times: number[],
): Promise<ort.InferenceSession.ReturnType> {
  const started = performance.now();
  try {
    const outputs = await session.run(feeds);
    times.push(performance.now() - started);
    return outputs;
  } catch (error) {
    throw new AppError(
      'RUNTIME',
      'onnxruntime does not run it',
      { file, found: firstLine(error), expected: 'a run' },
      error,
    );
  }
}

function compareOutputs(
  file: string,
  before: ort.InferenceSession.ReturnType,
  after: ort.InferenceSession.ReturnType,
  tallies: ReadonlyMap<string, OutputTally>,
): void {
  for (const [name, tally] of tallies) {
    const [original, exported] = [before[name], after[name]];
    if (
      original === undefined ||
      exported === undefined ||
      original.dims.join() !== exported.dims.join()
    )
      throw new AppError('RUNTIME', 'an output is not of the same shape', {
        file,
        field: name,
        found: exported === undefined ? 'no such output' : exported.dims.join(' x '),
        expected: original?.dims.join(' x '),
      });
    const values = numbersOf(original);
    if (values !== null) tally.add(values, numbersOf(exported) ?? [], original.dims);
  }
}

/** An output's values as numbers; null for strings. */
function numbersOf(tensor: ort.OnnxValue): ArrayLike<number> | null {
  const { data, type } = tensor;
  if (type === 'string') return null;
  if (type === 'float16') return Float64Array.from(data as Uint16Array, float16Value);
  if (data instanceof BigInt64Array || data instanceof BigUint64Array)
    return Float64Array.from(data as BigInt64Array, Number);
  return data as Float32Array;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  if (sorted.length === 0) return NaN;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
