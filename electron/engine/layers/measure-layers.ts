import * as fs from 'node:fs';
import * as path from 'node:path';
import type { DtypeName } from '../../../shared/dtypes.ts';
import type {
  LayerError,
  LayerErrors,
  LayerPart,
  SkippedLayer,
} from '../../../shared/layer-errors.ts';
import { append } from '../../../shared/lists.ts';
import { nextFeeds } from '../calibrate/data/next-feeds.ts';
import { samplesFor, type Samples, type WantedSamples } from '../calibrate/data/samples-for.ts';
import type { LayerCopy } from '../formats/format.ts';
import { runOnce, type Outputs } from '../runtime/compare-outputs.ts';
import { OutputTally } from '../runtime/compare.ts';
import { ModelCopies, OBSERVED_BYTES, partsOf } from '../runtime/model-copies.ts';
import type { RunnableModel } from '../runtime/runnable.ts';
import { preparing, SampleClock, type RunProgress } from '../runtime/run-progress.ts';
import { findLayers, type Layer } from './find-layers.ts';
import { LocalModels, type LocalLayer } from './local-models.ts';
import { partCopies } from './part-copies.ts';

export interface LayersRequest extends WantedSamples {
  readonly original: string;
  readonly exported: string;
  /** A folder of the program's own, where copies are put for a while. */
  readonly folder: string;
  /** What of the export is measured alone; all of it where it is missing. */
  readonly only?: LayerPart | undefined;
  /** Bytes of values that one run may give; OBSERVED_BYTES where it is missing. */
  readonly observedBytes?: number;
}

/**
 * The error of each layer that an export quantizes, as SQNR in dB of what it gives against the original: local, with
 * exact inputs, and accumulated, in the export as a whole. Both models run without graph optimizations, so that the
 * figures are those of the codes. Values are reduced at once: memory grows with neither samples nor layers.
 * @throws AppError RUNTIME with the runtime's own words; whatever openSamples throws
 */
export async function measureLayers(
  request: LayersRequest,
  onProgress: (progress: RunProgress) => void,
): Promise<LayerErrors> {
  onProgress(preparing('Finding the layers'));
  const { only, hints } = request;
  const [original, exported] = [copiesOf(request, 'original'), copiesOf(request, 'exported')];
  try {
    if (only === undefined) return await measureBetween(original, exported, request, onProgress);
    const folder = path.join(request.folder, only);
    const { copies, skipped } = await partCopies(original, exported, { only, folder, hints });
    try {
      const { layers } = findLayers(asGraphed(original), asGraphed(exported));
      const found = await measureBetween(original, copies, request, onProgress, layers);
      return { ...found, skipped: [...found.skipped, ...skipped] };
    } finally {
      copies.close();
    }
  } finally {
    original.close();
    exported.close();
  }
}

/** @param whole the layers of the export that `exported` is a part of: a layer has its name there, and what was folded into it */
async function measureBetween(
  original: ModelCopies,
  exported: ModelCopies,
  request: LayersRequest,
  onProgress: (progress: RunProgress) => void,
  whole: readonly Layer[] = [],
): Promise<LayerErrors> {
  const found = namedAs(whole, findLayers(asGraphed(original), asGraphed(exported)));
  const { types, samples } = await original.withOutputs(
    namesOf(found.layers, 'original'),
    'floats',
    async (model) => ({ types: typesOf(model), samples: await samplesFor(model, request) }),
  );
  const taken = await exported.withOutputs(namesOf(found.layers, 'exported'), 'floats', (model) =>
    Promise.resolve(typesOf(model)),
  );
  const skipped: SkippedLayer[] = [...found.skipped];
  const layers = found.layers.flatMap((layer, at) => {
    const local = localLayer(layer, `quantscope.layer${at}/`, types, taken);
    if ('reason' in local) skipped.push({ name: layer.name, reason: local.reason });
    return 'reason' in local ? [] : [local];
  });
  onProgress(preparing('Finding the sizes of activations', samples.count));
  const parts = await partsOfLayers(layers, original, samples, request);
  const clock = new SampleClock(onProgress, 'Measuring sample', parts.length, samples.count);
  const measured: LayerError[] = [];
  for (const part of parts) {
    const measuring = new Measuring(part, samples, clock);
    append(measured, await measuring.run(original, exported));
    clock.nextRound();
  }
  return { samples: samples.count, layers: measured, skipped };
}

type Found = ReturnType<typeof findLayers>;

/** Layers under the names of others that make the same values. */
function namedAs(whole: readonly Layer[], { layers, skipped }: Found): Found {
  const byOutput = new Map(
    whole.flatMap((layer) => layer.outputs.map(({ original }) => [original, layer] as const)),
  );
  const named = layers.map((layer) => {
    const same = byOutput.get(layer.outputs[0]!.original);
    if (same === undefined) return layer;
    const { name, op, operator, tensors } = same;
    return { ...layer, name, op, operator, tensors };
  });
  return { layers: named, skipped };
}

function copiesOf(
  { folder, hints, ...files }: LayersRequest,
  which: 'original' | 'exported',
): ModelCopies {
  const own = path.join(folder, which);
  fs.mkdirSync(own, { recursive: true });
  return new ModelCopies(files[which], own, hints);
}

function asGraphed({ opened }: ModelCopies): Parameters<typeof findLayers>[0] {
  return { model: opened.model, graph: () => opened.graph() };
}

function namesOf(layers: readonly Layer[], side: 'original' | 'exported'): string[] {
  const names = layers.flatMap(({ inputs, outputs, rounded }) => [
    ...[...inputs, ...outputs].map((value) => value[side]),
    ...(side === 'exported' ? rounded : []),
  ]);
  return [...new Set(names)];
}

type Types = ReadonlyMap<string, string>;

/** The types of what a model takes and gives. */
function typesOf({ inputs, outputs }: RunnableModel): Types {
  return new Map([...inputs, ...outputs].map(({ name, type }) => [name, type]));
}

/** A layer as a model of its own computes it; why it cannot be measured. */
function localLayer(
  layer: Layer,
  prefix: string,
  types: Types,
  taken: Types,
): LocalLayer | { readonly reason: string } {
  const outputs = layer.outputs.filter(({ original }) => types.get(original)?.startsWith('float'));
  if (outputs.length === 0) return { reason: 'gives no float values' };
  const inputs: LayerCopy['inputs'][number][] = [];
  for (const { original, exported } of layer.inputs) {
    const wanted = taken.get(exported);
    if (wanted === undefined || !types.has(original))
      return { reason: `takes ${original}, which the runtime cannot pass` };
    inputs.push({ name: exported, dtype: wanted as DtypeName });
  }
  const given = [...outputs.map(({ exported }) => exported), ...layer.rounded];
  const copy = { prefix, operators: layer.operators, inputs, outputs: given };
  return { ...layer, outputs, copy };
}

/** Layers in parts whose values one run may give, by their sizes in the first sample. */
async function partsOfLayers(
  layers: readonly LocalLayer[],
  original: ModelCopies,
  samples: Samples,
  { observedBytes = OBSERVED_BYTES }: LayersRequest,
): Promise<readonly (readonly LocalLayer[])[]> {
  const names = namesOf(layers, 'original');
  const elements = await original.elementsOf(names, await samples.at(0));
  const sizes = new Map(names.map((name, at) => [name, elements[at]!]));
  const bytesOf = ({ inputs, outputs, rounded }: LocalLayer): number => {
    // Each output is there in the original, in the export, and by itself; in the latter also before it is cast.
    const copies = rounded.length > 0 ? 5 : 3;
    const values = [...inputs, ...new Array<typeof outputs>(copies).fill(outputs).flat()];
    return values.reduce((sum, value) => sum + 4 * sizes.get(value.original)!, 0);
  };
  return partsOf(layers, bytesOf, observedBytes);
}

/** Sums up the errors of layers over all samples. */
class Measuring {
  private readonly layers: readonly LocalLayer[];
  private readonly samples: Samples;
  private readonly clock: SampleClock;
  private readonly tallies: ReadonlyMap<
    LocalLayer,
    { local: OutputTally; accumulated: OutputTally }
  >;

  constructor(layers: readonly LocalLayer[], samples: Samples, clock: SampleClock) {
    [this.layers, this.samples, this.clock] = [layers, samples, clock];
    this.tallies = new Map(
      layers.map((layer) => [
        layer,
        { local: new OutputTally(layer.name), accumulated: new OutputTally(layer.name) },
      ]),
    );
  }

  async run(original: ModelCopies, exported: ModelCopies): Promise<LayerError[]> {
    const locals = new LocalModels(exported);
    const [values, others] = [namesOf(this.layers, 'original'), namesOf(this.layers, 'exported')];
    await original.withOutputs(values, 'floats', (before) =>
      exported.withOutputs(others, 'floats', (after) =>
        locals.with(this.layers, () => this.all(before, after, locals)),
      ),
    );
    return this.layers.map((layer) => {
      const { local, accumulated } = this.tallies.get(layer)!;
      const problem = locals.problemOf(layer);
      return {
        ...{ name: layer.name, op: layer.op, operator: layer.operator, tensors: layer.tensors },
        localSqnrDb: problem === null ? local.result().sqnrDb : null,
        accumulatedSqnrDb: accumulated.result().sqnrDb,
        ...(problem === null ? {} : { note: problem }),
      };
    });
  }

  private async all(
    original: RunnableModel,
    exported: RunnableModel,
    locals: LocalModels,
  ): Promise<void> {
    const { samples } = this;
    let last: { readonly before: Outputs; readonly after: Outputs } | null = null;
    for (let index = 0; index < samples.count; index++) {
      this.clock.sample(index);
      const feeds = await samples.at(index);
      const isNext = last !== null && !samples.startsSequence(index);
      const step = (outputs: Outputs): typeof feeds =>
        isNext ? nextFeeds(feeds, outputs, samples.carried) : feeds;
      const given = last === null ? feeds : step(last.before);
      const before = await runOnce(original, given);
      const after = await runOnce(exported, last === null ? feeds : step(last.after));
      const local = await locals.run(given, before);
      for (const layer of this.layers) this.add(layer, before, after, local);
      last = samples.sequence ? { before, after } : null;
    }
  }

  private add(layer: LocalLayer, before: Outputs, after: Outputs, local: Outputs): void {
    const { local: alone, accumulated } = this.tallies.get(layer)!;
    for (const { original, exported } of layer.outputs) {
      const reference = before.get(original)!.data as ArrayLike<number>;
      const pairs = [
        [alone, local.get(layer.copy.prefix + exported)],
        [accumulated, after.get(exported)],
      ] as const;
      for (const [tally, value] of pairs)
        if (value?.data.length === reference.length)
          tally.add(reference, value.data as ArrayLike<number>, []);
    }
  }
}
