import * as fs from 'node:fs';
import * as path from 'node:path';
import { AppError } from '../../../shared/errors.ts';
import type { CalibrationSettings } from '../../../shared/calibration-settings.ts';
import type { Ranges } from '../../../shared/ranges.ts';
import { writeModel } from '../export/write-model.ts';
import { SHAPE_SUFFIX, type OpenedModel } from '../formats/format.ts';
import { openModel } from '../formats/registry.ts';
import type { RunHints } from '../runtime/inputs.ts';
import { runOnce } from '../runtime/compare-outputs.ts';
import { OnnxModel, type OutputValue } from '../runtime/onnx-model.ts';
import { preparing, type RunProgress } from '../runtime/run-progress.ts';
import type { SampleSource } from './data/listing.ts';
import { nextFeeds } from './data/next-feeds.ts';
import { randomSamples, RANDOM_WARNING } from './data/random-samples.ts';
import { openSamples, type Samples } from './data/samples.ts';
import { ValueObserver } from './observer.ts';

export interface ObserveRequest {
  /** An ONNX model in a folder of the program's own, where copies of it are put for a while. */
  readonly model: string;
  /** Values of its main graph, by name. */
  readonly values: readonly string[];
  /** Where samples are; null draws so many random ones. */
  readonly inputs: SampleSource | null;
  readonly samples: number;
  /** How many samples of files to take at most; all where it is missing. */
  readonly limit?: number | undefined;
  readonly seed: number;
  readonly hints: RunHints;
  /** How pictures and sounds become inputs, where the recipe says it. */
  readonly settings?: CalibrationSettings | undefined;
  /** Bytes of values that one run may give; OBSERVED_BYTES where it is missing. */
  readonly observedBytes?: number;
}

export interface ObserveResult extends Ranges {
  readonly warnings: readonly string[];
}

/**
 * Values of one run that are kept at a time. onnxruntime keeps all outputs of a graph until its run ends: a model
 * whose values take more is run once for each part of them.
 */
const OBSERVED_BYTES = 256 << 20;

/** The values are those that the file says, unfused and unfolded. */
const UNCHANGED = { graphOptimizationLevel: 'disabled' } as const;

/**
 * Observe float values of a model over samples: ranges in a first round, histograms in a second. Values are
 * reduced at once, so that memory grows with neither samples nor the model's activations.
 * @throws AppError RUNTIME with the runtime's own words; whatever openSamples throws
 */
export async function observeModel(
  request: ObserveRequest,
  onProgress: (progress: RunProgress) => void,
): Promise<ObserveResult> {
  onProgress(preparing('Loading the model'));
  const copies = new Copies(request);
  try {
    const { floats, skipped } = await copies.floatValues();
    const samples = await copies.samples();
    onProgress(preparing('Finding the sizes of activations', samples.count));
    const groups = await copies.groups(floats, samples);
    const clock = new ObserveClock(onProgress, groups.length * 2, samples.count);
    const values: Ranges['values'][number][] = [];
    for (const group of groups)
      for (const observed of await copies.observe(group, samples, clock))
        if ('skipped' in observed) skipped.push(observed.skipped);
        else values.push(observed);
    const warnings = request.inputs === null ? [RANDOM_WARNING] : [];
    return { samples: samples.count, values, skipped, warnings };
  } finally {
    copies.close();
  }
}

type Skipped = Ranges['skipped'][number];

/** Copies of the model that give more outputs. */
class Copies {
  private readonly request: ObserveRequest;
  private readonly opened: OpenedModel;
  private readonly made: string[] = [];

  constructor(request: ObserveRequest) {
    this.request = request;
    this.opened = openModel(request.model);
  }

  close(): void {
    this.opened.close();
    for (const file of this.made) fs.rmSync(file, { force: true });
  }

  /** Which values are tensors of float32, as onnxruntime finds their types. */
  async floatValues(): Promise<{ floats: string[]; skipped: Skipped[] }> {
    const { values } = this.request;
    const [floats, skipped]: [string[], Skipped[]] = [[], []];
    await this.with(values, 'values', (model) => {
      const types = new Map(model.outputs.map(({ name, type }) => [name, type]));
      for (const name of values) {
        const type = types.get(name);
        if (type === 'float32') floats.push(name);
        else if (type !== undefined && type.startsWith('float'))
          skipped.push({ name, reason: `is ${type}, and activations are quantized from float32` });
      }
      return Promise.resolve();
    });
    return { floats, skipped };
  }

  samples(): Promise<Samples> {
    const { inputs, hints, samples, seed, settings, limit } = this.request;
    return this.with([], 'values', (model) =>
      inputs === null
        ? randomSamples(model, { samples, seed, hints })
        : openSamples(
            inputs,
            { inputs: model.inputs, outputs: model.outputs, hints },
            settings,
            limit,
          ),
    );
  }

  /** The values in parts that one run may give, by their sizes in the first sample. */
  async groups(values: readonly string[], samples: Samples): Promise<string[][]> {
    const sizes = await this.with(values, 'shapes', async (model) => {
      const shapes = await runOnce(model, await samples.at(0));
      return values.map((name) => {
        const dims = shapes.get(`${name}${SHAPE_SUFFIX}`)?.data as ArrayLike<number> | undefined;
        return 4 * Array.from(dims ?? []).reduce((product, dim) => product * dim, 1);
      });
    });
    const limit = this.request.observedBytes ?? OBSERVED_BYTES;
    const groups: string[][] = [];
    let bytes = Infinity;
    for (const [at, name] of values.entries()) {
      bytes += sizes[at]!;
      if (bytes > limit) {
        groups.push([]);
        bytes = sizes[at]!;
      }
      groups.at(-1)!.push(name);
    }
    return groups;
  }

  /** Run all samples twice and reduce what one part of the values holds. */
  async observe(
    names: readonly string[],
    samples: Samples,
    clock: ObserveClock,
  ): Promise<(Ranges['values'][number] | { readonly skipped: Skipped })[]> {
    const observers = names.map((name) => new ValueObserver(name));
    await this.with(names, 'values', async (model) => {
      for (const round of ['addRange', 'addCounts'] as const) {
        let before: ReadonlyMap<string, OutputValue> | null = null;
        for (let index = 0; index < samples.count; index++) {
          clock.sample(index);
          const isNext = before !== null && !samples.startsSequence(index);
          const given = await samples.at(index);
          const feeds = isNext ? nextFeeds(given, before!, samples.carried) : given;
          const outputs = await runOnce(model, feeds);
          for (const observer of observers) {
            const value = outputs.get(observer.name);
            if (value?.isText === false) observer[round](value.data as ArrayLike<number>);
          }
          before = samples.sequence ? outputs : null;
        }
        clock.nextRound();
      }
    });
    return observers.map(
      (observer) =>
        observer.result() ?? {
          skipped: { name: observer.name, reason: 'held no finite number in any sample' },
        },
    );
  }

  private async with<T>(
    values: readonly string[],
    what: 'values' | 'shapes',
    work: (model: OnnxModel) => Promise<T>,
  ): Promise<T> {
    const model = await OnnxModel.load(
      await this.copy(values, what),
      this.request.hints,
      UNCHANGED,
    );
    try {
      return await work(model);
    } finally {
      await model.release();
    }
  }

  private async copy(values: readonly string[], what: 'values' | 'shapes'): Promise<string> {
    const { model } = this.request;
    if (values.length === 0) return model;
    const layout = this.opened.withOutputs?.(values, what);
    if (layout === undefined)
      throw new AppError('UNSUPPORTED', 'is of a format whose activations are not observed', {
        file: model,
      });
    const target = path.join(path.dirname(model), `observed-${this.made.length}.onnx`);
    this.made.push(target);
    await writeModel({
      ...{ layout, files: this.opened.files, target, replaced: [] },
      signal: new AbortController().signal,
      encode: () => Promise.resolve(),
      onProgress: () => undefined,
    });
    return target;
  }
}

/** Tells how far the runs of all rounds are. */
class ObserveClock {
  private readonly report: (progress: RunProgress) => void;
  private readonly rounds: number;
  private readonly samples: number;
  private readonly started = performance.now();
  private round = 0;

  constructor(report: (progress: RunProgress) => void, rounds: number, samples: number) {
    this.report = report;
    this.rounds = rounds;
    this.samples = samples;
  }

  nextRound(): void {
    this.round++;
  }

  sample(index: number): void {
    const done = this.round * this.samples + index;
    const of = this.rounds * this.samples;
    const perRun = done === 0 ? null : (performance.now() - this.started) / 1000 / done;
    this.report({
      ...{ what: 'Observing sample', done: index + 1, of: this.samples, fraction: done / of },
      secondsLeft: perRun === null ? null : perRun * (of - done),
    });
  }
}
