import * as fs from 'node:fs';
import * as path from 'node:path';
import { AppError } from '../../../shared/errors.ts';
import type { CalibrationSettings } from '../../../shared/calibration-settings.ts';
import type { Equalization } from '../../../shared/equalization.ts';
import type { Preparation, PreparationCheck } from '../../../shared/preparation.ts';
import type { Ranges } from '../../../shared/ranges.ts';
import { writeEqualized } from '../equalize/equalize.ts';
import type { OpenedModel } from '../formats/format.ts';
import { temporaryFolder } from '../runtime/run-folder.ts';
import { runInRuntime, type Runtime } from '../runtime/host.ts';
import { runHintsOf } from '../runtime/run-hints.ts';
import type { RunOptions } from '../run-options.ts';
import { Session } from '../session.ts';
import { counterparts, namedAsSource, type Counterparts } from './counterparts.ts';
import type { SampleSource } from './data/listing.ts';
import type { ObserveResult } from './observe.ts';
import { CHECKED_SAMPLES } from './checked-samples.ts';
import { preparationOf } from './preparation-of.ts';
import { prepareCopy } from './prepare-copy.ts';
import type { WorkerPool } from '../pool.ts';

/** What a model is calibrated on: files of samples, or so many seeded random ones where `inputs` is null. */
export interface CalibrationInputs {
  readonly inputs: SampleSource | null;
  readonly samples: number;
  /** How many samples of files to take at most; all where it is missing. */
  readonly limit?: number | undefined;
  readonly seed: number;
  readonly settings?: CalibrationSettings | undefined;
}

interface Tools {
  readonly source: Session;
  readonly pool: WorkerPool;
  readonly runtime: Runtime;
}

/** Whether a model is quantized by way of a copy. The converter has folded and fused a LiteRT model: it is its own. */
export function hasCopy({ runHints }: OpenedModel): boolean {
  return runHints?.runtime === 'onnxruntime';
}

/** What a copy is compared with its source on where no samples are given. */
const RANDOM: CalibrationInputs = { inputs: null, samples: CHECKED_SAMPLES, seed: 0 };

/**
 * A model as it is quantized statically, and in other modes where a recipe asks for it: a copy in which constants are
 * folded and normalizations fused, which a runtime would do as well before it runs the model, and which leave fewer
 * values to quantize.
 */
export class PreparedModel {
  readonly session: Session;
  readonly counterparts: Counterparts;
  /** What the copy changes, and how it was checked; null for a model that is its own copy. */
  readonly preparation: Preparation | null;
  private readonly folder: string;
  private readonly tools: Tools;
  private readonly check: PreparationCheck | null;
  /** By the factors that were moved. */
  private readonly derived = new Map<string, PreparedModel>();

  /** @param file the copy, or a LiteRT model itself */
  private constructor(folder: string, file: string, tools: Tools, check: PreparationCheck | null) {
    [this.folder, this.tools, this.check] = [folder, tools, check];
    const { source, pool } = tools;
    const session = openCopy(file, source, pool);
    this.counterparts = counterparts(source.opened.model, session.opened.model);
    this.session = session;
    this.preparation =
      check === null ? null : preparationOf(source, session, this.counterparts, check);
  }

  /**
   * @param checkedOn what the copy is compared with its source on; seeded random samples where it is missing
   * @throws AppError UNSUPPORTED for a format that is not run; RUNTIME with the runtime's own words, and where the copy
   *   differs by more than float rounding explains.
   */
  static async make(
    source: Session,
    pool: WorkerPool,
    runtime: Runtime,
    options: RunOptions,
    checkedOn: CalibrationInputs = RANDOM,
  ): Promise<PreparedModel> {
    source.assertUnchanged();
    if (source.opened.withOutputs === undefined)
      throw new AppError('UNSUPPORTED', 'is of a format whose activations are not observed', {
        file: source.opened.files[0]?.path,
        field: 'format',
        found: source.opened.model.format,
        expected: 'ONNX or LiteRT',
      });
    const folder = temporaryFolder();
    try {
      const model = source.opened.files[0]!.path;
      const isPrepared = !hasCopy(source.opened);
      const out = isPrepared ? model : path.join(folder, `prepared${source.opened.extension}`);
      let check: PreparationCheck | null = null;
      if (!isPrepared) {
        const hints = runHintsOf(source.opened);
        const limited = { ...checkedOn, samples: CHECKED_SAMPLES, limit: CHECKED_SAMPLES, hints };
        check = await prepareCopy(runtime, { model, out, check: limited }, options);
      }
      return new PreparedModel(folder, out, { source, pool, runtime }, check);
    } catch (error) {
      fs.rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }

  /**
   * A copy of this one with factors moved between its weights, one for the same factors, which is closed with this one.
   * @throws AppError IO, CANCELLED
   */
  equalized(equalization: Equalization, { signal }: RunOptions): PreparedModel {
    const key = JSON.stringify(equalization.layers);
    const known = this.derived.get(key);
    if (known !== undefined) return known;
    const folder = temporaryFolder();
    try {
      const file = writeEqualized(this.session.opened, equalization, folder, signal);
      const copy = new PreparedModel(folder, file, this.tools, this.check);
      this.derived.set(key, copy);
      return copy;
    } catch (error) {
      fs.rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }

  /**
   * Observe what can be observed over samples.
   * @param only values of the main graph alone, by name; without it all
   */
  calibrate(
    wanted: CalibrationInputs,
    { signal, onProgress }: RunOptions,
    only?: readonly string[],
  ): Promise<ObserveResult> {
    const { opened } = this.session;
    const values =
      only === undefined ? opened.observable?.() : { values: only, inBodies: [], skipped: [] };
    const request = {
      kind: 'observe',
      model: opened.files[0]!.path,
      folder: this.folder,
      ...(values ?? { values: [], inBodies: [], skipped: [] }),
      channelAxes: [...axesOf(opened)],
      ...wanted,
      hints: runHintsOf(opened),
    } as const;
    return runInRuntime(this.tools.runtime, request, signal, (progress) =>
      onProgress?.({ ...progress, item: '', unit: 'samples', bytesDone: 0, bytesOf: 0 }),
    );
  }

  use(ranges: Ranges): void {
    this.session.useRanges(ranges);
  }

  close(): void {
    for (const copy of this.derived.values()) copy.close();
    this.session.close();
    fs.rmSync(this.folder, { recursive: true, force: true });
  }
}

function openCopy(file: string, source: Session, pool: WorkerPool): Session {
  const { model, files } = source.opened;
  return Session.open(file, pool, {
    label: source.label,
    // A LiteRT model's layouts know the source's size themselves.
    ...(file === files[0]!.path ? {} : { limit: source.bytes }),
    planned: (own) => namedAsSource(model, own.model, counterparts(model, own.model)),
  });
}

/** The axes of the channels of values: of what weights multiply, and of what factors can be moved through. */
function axesOf(opened: OpenedModel): ReadonlyMap<string, number> {
  const { parts } = opened.equalizables?.() ?? { parts: [] };
  return new Map([...parts.flatMap(({ values }) => values), ...(opened.channelAxes?.() ?? [])]);
}
