import * as fs from 'node:fs';
import * as path from 'node:path';
import { AppError } from '../../shared/errors.ts';
import type { ExportMode } from '../../shared/exports.ts';
import { append } from '../../shared/lists.ts';
import type { Recipe } from '../../shared/recipe.ts';
import type { RunOptions } from './run-options.ts';
import { runInRuntime, type Runtime } from './runtime/host.ts';
import type { OutputNoise } from './runtime/output-noise.ts';
import { temporaryFolder } from './runtime/run-folder.ts';
import { runHintsOf } from './runtime/run-hints.ts';
import { measureLayersOf, withExport, type Inputs, type Under } from './runtime/run-models.ts';
import type { Session } from './session.ts';

/** Bytes of copies that are on the disk at a time. */
const BATCH_BYTES = 512 << 20;

export interface Copying {
  readonly mode: ExportMode;
  readonly inputs: Inputs;
  /** What writes the copies; the session itself where it is missing. */
  readonly exporter?: NonNullable<Under['exporter']>;
  /** Whether copies are run without graph optimizations; in mode static not, where it is missing. */
  readonly isUnchanged?: boolean;
  /** What progress says of each copy; layers are measured where it is missing. */
  readonly progress?: { readonly what: string; readonly unit: string };
}

/** What the outputs of copies of a model lose, each exported under a recipe of its own. */
export class CopiesNoise {
  /** Recipes whose copies quantize nothing, as of few weights alone they would be no smaller than the model. */
  readonly unchanged = new Set<Recipe>();
  private readonly session: Session;
  private readonly runtime: Runtime;
  private readonly copying: Copying;
  private readonly options: RunOptions;

  constructor(session: Session, runtime: Runtime, copying: Copying, options: RunOptions) {
    [this.session, this.runtime, this.copying, this.options] = [session, runtime, copying, options];
  }

  /** Noise over signal that the layer of each weight adds to its own output under a recipe, by the weight's number. */
  async estimates(recipe: Recipe): Promise<ReadonlyMap<number, number>> {
    const { inputs, ...how } = this.copying;
    const errors = await withExport(this.session, { recipe, ...how }, this.options, (exported) =>
      measureLayersOf(this.session, this.runtime, exported, inputs, this.options),
    );
    const { layers } = this.copying.exporter?.ownLayers?.(errors) ?? errors;
    const local = new Map<number, number>();
    for (const { tensors, localSqnrDb: db } of layers)
      for (const id of db === null ? [] : tensors)
        local.set(id, (local.get(id) ?? 0) + 10 ** (-db! / 10));
    return local;
  }

  /**
   * Noise over signal under each recipe, exported and run a batch at a time.
   * @throws AppError RUNTIME where no output can be compared
   */
  async noises(recipes: readonly Recipe[]): Promise<readonly number[]> {
    return (await this.comparableNoises(recipes)).map((each) => this.compared(each).noise);
  }

  /** The same, with null where no output can be compared. */
  async comparableNoises(recipes: readonly Recipe[]): Promise<readonly (OutputNoise | null)[]> {
    const size = Math.max(1, Math.floor(BATCH_BYTES / this.session.bytes));
    const found: (OutputNoise | null)[] = [];
    for (let at = 0; at < recipes.length; at += size) {
      const folder = temporaryFolder();
      try {
        const files: string[] = [];
        for (const [index, recipe] of recipes.slice(at, at + size).entries())
          files.push(await this.export(recipe, path.join(folder, String(index))));
        append(found, await this.run(files, at, recipes.length));
      } finally {
        fs.rmSync(folder, { recursive: true, force: true });
      }
    }
    return found;
  }

  /** @param folder made for this copy alone: external data has the name of its model */
  private async export(recipe: Recipe, folder: string): Promise<string> {
    const { mode, exporter = this.session } = this.copying;
    fs.mkdirSync(folder);
    const file = path.join(folder, `model${this.session.opened.extension}`);
    const { signal } = this.options;
    const { quantized, activations } = await exporter.export(recipe, mode, file, { signal });
    if (quantized === 0 && (activations?.quantized ?? 0) === 0) this.unchanged.add(recipe);
    return file;
  }

  private run(files: readonly string[], from: number, of: number): Promise<(OutputNoise | null)[]> {
    const { onProgress } = this.options;
    const { what, unit } = this.copying.progress ?? { what: 'Measuring layer', unit: 'layers' };
    return runNoise(this.session, this.runtime, files, this.copying, {
      ...this.options,
      onProgress: (progress) => {
        const inBatch = Math.floor((progress.fraction ?? 0) * files.length);
        onProgress?.({
          ...progress,
          ...{ what, item: '', unit },
          ...{ done: Math.min(of, from + inBatch + 1), of },
          fraction: (from + (progress.fraction ?? 0) * files.length) / of,
          secondsLeft: null,
        });
      },
    });
  }

  private compared(noise: OutputNoise | null): OutputNoise {
    if (noise !== null) return noise;
    throw new AppError('RUNTIME', 'no output can be compared', {
      file: this.session.opened.files[0]!.path,
      expected: 'an output of numbers that are not all zero',
    });
  }
}

/**
 * Noise over signal of the outputs of some copies; null where none can be compared. Static exports are run as the runtime
 * optimizes them, unless codes alone are to be judged: its integer kernels lose what no code does, on one model more.
 */
export async function runNoise(
  session: Session,
  runtime: Runtime,
  copies: readonly string[],
  { mode, inputs, isUnchanged = mode !== 'static' }: Omit<Copying, 'exporter' | 'progress'>,
  { signal, onProgress }: RunOptions,
): Promise<(OutputNoise | null)[]> {
  const hints = runHintsOf(session.opened);
  const request = {
    kind: 'outputNoise',
    model: session.opened.files[0]!.path,
    copies,
    ...inputs,
    ...{ hints, isUnchanged },
  } as const;
  const noise = await runInRuntime(runtime, request, signal, (progress) =>
    onProgress?.({ ...progress, item: '', unit: 'samples', bytesDone: 0, bytesOf: 0 }),
  );
  return [...noise];
}
