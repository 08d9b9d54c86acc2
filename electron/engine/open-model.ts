import type { Calibrated, Calibrations } from '../../shared/activations.ts';
import { AppError } from '../../shared/errors.ts';
import type { ExportMode } from '../../shared/exports.ts';
import type { Recipe } from '../../shared/recipe.ts';
import { findBestRange } from './best-range.ts';
import type { Ranges } from '../../shared/ranges.ts';
import { writeWhole } from '../files/atomic-file.ts';
import { AnswerStore } from './answers/answer-store.ts';
import { observeWeightMoments } from './calibrate/moments.ts';
import { PreparedModel, type CalibrationInputs } from './calibrate/prepared.ts';
import { assertRangesOf, rangesToText, readRanges } from './calibrate/ranges-file.ts';
import { assertMode } from './planning.ts';
import type { WorkerPool } from './pool.ts';
import { runInRuntime, type Runtime } from './runtime/host.ts';
import { runHintsOf } from './runtime/run-hints.ts';
import type { DescribedSamples } from './calibrate/describe-request.ts';
import type { RunOptions } from './run-options.ts';
import type { Session } from './session.ts';
import { StaticModel, type Budgeted } from './static-model.ts';
import type { WeightMoments } from './weight-moments.ts';

/** What to observe: for which mode's plans, and whether codes are to be chosen by it. */
interface CalibrationWanted extends CalibrationInputs {
  readonly mode: ExportMode;
  readonly choosesCodes: boolean;
  /** The recipe whose range method of activations is chosen by the outputs, where one asks for that. */
  readonly rangeOf?: Recipe | undefined;
}

/** A model that a page has open: its session and, once it was asked for, its prepared copy and what calibration found. */
export class OpenModel {
  readonly session: Session;
  /** What its last runs gave. */
  readonly answers = new AnswerStore();
  private readonly pool: WorkerPool;
  private readonly runtime: Runtime;
  /** Made once, with the first calibration. */
  private prepared: Promise<PreparedModel> | null = null;
  private static: StaticModel | null = null;
  private found: Calibrations = { static: null, others: null };

  constructor(session: Session, pool: WorkerPool, runtime: Runtime) {
    this.session = session;
    this.pool = pool;
    this.runtime = runtime;
  }

  /** What answers in a mode. @throws AppError UNSUPPORTED in mode static before the model is calibrated */
  in(mode: ExportMode): Budgeted {
    return mode === 'static' ? this.calibratedModel() : this.session;
  }

  /** @throws AppError UNSUPPORTED before the model is calibrated */
  calibratedModel(): StaticModel {
    if (this.static !== null) return this.static;
    throw new AppError('UNSUPPORTED', 'mode static needs samples; calibrate the model first', {
      file: this.session.label,
      field: 'mode',
      found: 'no ranges of activations',
    });
  }

  /** What is understood of samples, before the model is run on them. */
  describeSamples(
    wanted: CalibrationInputs,
    { signal, onProgress }: RunOptions,
  ): Promise<DescribedSamples> {
    this.session.assertUnchanged();
    const { opened } = this.session;
    const request = {
      ...({ kind: 'describe', model: opened.files[0]!.path, hints: runHintsOf(opened) } as const),
      ...wanted,
    };
    return runInRuntime(this.runtime, request, signal, (progress) =>
      onProgress?.({ ...progress, item: '', unit: 'samples', bytesDone: 0, bytesOf: 0 }),
    );
  }

  /**
   * Observe samples for the plans of a mode. What an earlier calibration found stays until this one is complete.
   * @throws AppError UNSUPPORTED for a format without the mode, or without layers that are observed
   */
  async calibrate(
    { mode, choosesCodes, rangeOf, ...wanted }: CalibrationWanted,
    options: RunOptions,
  ): Promise<Calibrated> {
    assertMode(this.session.opened, mode);
    if (mode !== 'static') {
      const { moments, ...found } = await this.observeMoments(this.session, wanted, options);
      this.session.useMoments(moments);
      this.found = { ...this.found, others: { ...found, values: 0, skipped: 0 } };
      return this.found.others!;
    }
    const prepared = await this.prepare(options);
    const { description, ...ranges } = await prepared.calibrate(wanted, options);
    const codes = choosesCodes
      ? await this.observeMoments(prepared.session, wanted, options)
      : null;
    if (codes !== null) prepared.session.useMoments(codes.moments);
    const weights = codes?.weights ?? this.found.static?.weights ?? 0;
    prepared.use(ranges);
    const best =
      rangeOf === undefined
        ? undefined
        : await findBestRange(prepared.session, this.runtime, rangeOf, wanted, options);
    const isRandom = wanted.inputs === null;
    const { warnings } = description;
    return this.planBy(prepared, { ...ranges, best }, { weights, isRandom, warnings });
  }

  /** Plan mode static by ranges that were saved before. @throws AppError IO, BAD_USAGE for a file of something else */
  async openRanges(file: string, options: RunOptions): Promise<Calibrated> {
    assertMode(this.session.opened, 'static');
    const ranges = readRanges(file);
    const prepared = await this.prepare(options);
    assertRangesOf(prepared.session.opened.graph(), ranges, file);
    const { weights = 0, isRandom = false } = this.found.static ?? {};
    return this.planBy(prepared, ranges, { weights, isRandom, warnings: [] });
  }

  /** Write the ranges that mode static plans by, whole or not at all. @throws AppError TARGET, IO */
  saveRanges(target: string): void {
    const { ranges } = this.calibratedModel();
    writeWhole(target, rangesToText(ranges), this.session.opened.files);
  }

  close(): void {
    this.session.close();
    this.answers.close();
    // A copy that is still being made is closed once it is.
    void this.prepared?.then(
      (prepared) => prepared.close(),
      () => undefined,
    );
    this.static = null;
    this.found = { static: null, others: null };
  }

  /** What plans go by. */
  get calibrations(): Calibrations {
    return this.found;
  }

  private planBy(
    prepared: PreparedModel,
    ranges: Ranges,
    facts: Pick<Calibrated, 'weights' | 'isRandom' | 'warnings'>,
  ): Calibrated {
    prepared.use(ranges);
    this.static = new StaticModel(this.session, prepared, ranges);
    const { samples, values, skipped } = ranges;
    const found = { ...facts, samples, values: values.length, skipped: skipped.length };
    this.found = { ...this.found, static: found };
    return found;
  }

  private async observeMoments(
    session: Session,
    wanted: CalibrationInputs,
    options: RunOptions,
  ): Promise<Omit<Calibrated, 'values' | 'skipped'> & { readonly moments: WeightMoments }> {
    session.assertUnchanged();
    const tensors = [...(session.opened.weightInputs?.().keys() ?? [])];
    const { moments, samples, description } = await observeWeightMoments(
      ...([session.opened, tensors, this.runtime, wanted, options] as const),
    );
    const weights = [...moments.byTensor.values()].filter((each) => 'file' in each).length;
    const warnings = description?.warnings ?? [];
    return { moments, samples, weights, isRandom: wanted.inputs === null, warnings };
  }

  private prepare(options: RunOptions): Promise<PreparedModel> {
    if (this.prepared !== null) return this.prepared;
    const making = PreparedModel.make(this.session, this.pool, this.runtime, options);
    this.prepared = making;
    // What was cancelled or failed is made anew next time.
    making.catch(() => {
      if (this.prepared === making) this.prepared = null;
    });
    return making;
  }
}
