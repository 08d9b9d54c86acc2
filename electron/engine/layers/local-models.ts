import { AppError } from '../../../shared/errors.ts';
import { arrayOf } from '../calibrate/data/next-feeds.ts';
import type { Feeds } from '../calibrate/data/sample-group.ts';
import type { LayerCopy } from '../formats/format.ts';
import { runOnce, type Outputs } from '../runtime/compare-outputs.ts';
import type { ArrayValue } from '../runtime/inputs.ts';
import type { ModelCopies } from '../runtime/model-copies.ts';
import type { OutputValue, RunnableModel } from '../runtime/runnable.ts';
import type { Layer } from './find-layers.ts';

/** A layer, and the part of the export that computes it. */
export interface LocalLayer extends Layer {
  readonly copy: LayerCopy;
}

/** Layers of an export, each computed from values of the original. */
export class LocalModels {
  private readonly copies: ModelCopies;
  private readonly loaded: {
    readonly model: RunnableModel;
    readonly layers: readonly LocalLayer[];
  }[] = [];
  private readonly problems = new Map<LocalLayer, string>();

  constructor(copies: ModelCopies) {
    this.copies = copies;
  }

  /** Why a layer does not run by itself; null where it does. */
  problemOf(layer: LocalLayer): string | null {
    return this.problems.get(layer) ?? null;
  }

  /** Load layers for some work: all in one model, or in halves where one of them does not load. */
  async with(layers: readonly LocalLayer[], work: () => Promise<void>): Promise<void> {
    let isLoaded = false;
    try {
      await this.copies.withLayers(
        layers.map(({ copy }) => copy),
        async (model) => {
          isLoaded = true;
          this.loaded.push({ model, layers });
          await work();
        },
      );
    } catch (error) {
      if (isLoaded || !(error instanceof AppError) || error.code !== 'RUNTIME') throw error;
      if (layers.length === 1) {
        this.problems.set(layers[0]!, error.details.found ?? error.message);
        await work();
        return;
      }
      const half = Math.ceil(layers.length / 2);
      await this.with(layers.slice(0, half), () => this.with(layers.slice(half), work));
    }
  }

  /**
   * What the layers give by themselves, under their prefixes.
   * @param feeds what the original was given in this run, and `values` what it gave
   */
  async run(feeds: Feeds, values: Outputs): Promise<Outputs> {
    const all = new Map<string, OutputValue>();
    for (const { model, layers } of this.loaded) {
      const given = Object.fromEntries(layers.flatMap((layer) => inputsOf(layer, feeds, values)));
      try {
        for (const [name, value] of await runOnce(model, given)) all.set(name, value);
      } catch (error) {
        const found = error instanceof AppError ? error.details.found : undefined;
        for (const layer of layers) this.problems.set(layer, found ?? String(error));
      }
    }
    return all;
  }
}

function inputsOf(
  { copy, inputs }: LocalLayer,
  feeds: Feeds,
  values: Outputs,
): [string, ArrayValue][] {
  return copy.inputs.map(({ name, dtype }, at) => {
    const { original } = inputs[at]!;
    const given = feeds[original];
    if (given?.type === dtype) return [copy.prefix + name, given];
    const value = values.get(original)!;
    return [copy.prefix + name, arrayOf(dtype, value)];
  });
}
