import type { Calibrated, Calibrations } from '../../shared/activations.ts';
import { AppError } from '../../shared/errors.ts';
import { isPrepared, type ExportMode } from '../../shared/exports.ts';
import type { TensorRef } from '../../shared/model.ts';
import type { Recipe } from '../../shared/recipe.ts';
import type { TensorDetail } from '../../shared/report.ts';
import { chooseEqualization } from './best-equalization.ts';
import { findBestRange } from './best-range.ts';
import type { Equalization } from '../../shared/equalization.ts';
import { isEqualized, type Ranges } from '../../shared/ranges.ts';
import { writeWhole } from '../files/atomic-file.ts';
import { AnswerStore } from './answers/answer-store.ts';
import { observeWeightMoments } from './calibrate/moments.ts';
import { hasCopy, PreparedModel, type CalibrationInputs } from './calibrate/prepared.ts';
import { assertRangesOf, rangesToText, readRanges } from './calibrate/ranges-file.ts';
import { calibrateEqualized, copyOf, type Observed } from './equalize/equalized-copy.ts';
import { assertMode } from './planning.ts';
import type { WorkerPool } from './pool.ts';
import { runInRuntime, type Runtime } from './runtime/host.ts';
import { runHintsOf } from './runtime/run-hints.ts';
import type { DescribedSamples } from './calibrate/describe-request.ts';
import type { RunOptions } from './run-options.ts';
import type { Session } from './session.ts';
import { PreparedView, type Budgeted } from './prepared-view.ts';
import { StaticModel } from './static-model.ts';
import { UnpreparedView } from './unprepared-view.ts';
import type { WeightMoments } from './weight-moments.ts';

/** What to observe: for which mode's plans, and whether codes are to be chosen by it. */
interface CalibrationWanted extends CalibrationInputs {
  readonly mode: ExportMode;
  readonly choosesCodes: boolean;
  /** Mode static: whether a recipe asks for equalized weights. */
  readonly equalizes?: boolean | undefined;
  /** The recipe that has weights equalized where exports lose less then, where one asks for that. */
  readonly equalizeOf?: Recipe | undefined;
  /** The recipe whose range method of activations is chosen by the outputs, where one asks for that. */
  readonly rangeOf?: Recipe | undefined;
}

/** A copy that mode static is planned by, and what is told of its calibration. */
interface Planned {
  readonly prepared: PreparedModel;
  readonly ranges: Ranges;
  readonly facts: Pick<Calibrated, 'weights' | 'isRandom' | 'warnings'>;
}

/** A model that a page has open: its session and, once it was asked for, its prepared copy and what calibration found. */
export class OpenModel {
  readonly session: Session;
  /** What its last runs gave. */
  readonly answers = new AnswerStore();
  private readonly pool: WorkerPool;
  private readonly runtime: Runtime;
  /** Made once, with the first calibration or the first recipe that asks for it. */
  private prepared: Promise<PreparedModel> | null = null;
  /** The same, once it is made. */
  private view: PreparedView | null = null;
  /** What codes were chosen on in modes other than static. */
  private chosenOn: CalibrationInputs | null = null;
  private static: StaticModel | null = null;
  /** The same of the copy with equalized weights, where a recipe asked for one and it has some. */
  private equalized: StaticModel | null = null;
  /** Whether exports lose less of the outputs with that. */
  private isEvenBetter = false;
  private found: Calibrations = { static: null, others: null };

  constructor(session: Session, pool: WorkerPool, runtime: Runtime) {
    this.session = session;
    this.pool = pool;
    this.runtime = runtime;
  }

  /**
   * What answers for exports under a recipe in a mode: the model itself, or its prepared copy, made where there is none yet.
   * @throws AppError UNSUPPORTED in mode static before the model is calibrated; as PreparedModel.make
   */
  async in(
    mode: ExportMode,
    recipe: Pick<Recipe, 'prepare' | 'equalize'>,
    options: RunOptions,
  ): Promise<Budgeted> {
    if (mode === 'static') return this.calibratedModel(recipe);
    if (isPrepared(recipe, mode) && hasCopy(this.session.opened)) return this.preparedView(options);
    return this.view === null || this.view.made.length === 0
      ? this.session
      : new UnpreparedView(this.session, this.view);
  }

  /** All tensors that are told of: the model's, and those that its prepared copy has besides once that is made. */
  get tensors(): readonly TensorRef[] {
    return (this.view ?? this.session).tensors;
  }

  /** Whose values a tensor's are, and by which number: the model's own, and the copy's where only that has it. */
  valuesOf(tensor: number): { readonly session: Session; readonly tensor: number } {
    const { view, session } = this;
    return view === null || tensor < session.tensors.length
      ? { session, tensor }
      : view.holderOf(tensor);
  }

  /** As Session.inspect, under two recipes of which one may be of the prepared copy. The values are those of A. */
  async inspect(
    tensor: number,
    { a, b }: { readonly a: Recipe; readonly b: Recipe | null },
    { bins, mode }: { readonly bins: number; readonly mode: ExportMode },
    options: RunOptions,
  ): Promise<TensorDetail> {
    const { signal } = options;
    const first = await this.in(mode, a, options);
    const second = b === null ? first : await this.in(mode, b, options);
    if (b === null || first === second) return first.inspect(tensor, [a, b], bins, signal, mode);
    const detail = await first.inspect(tensor, [a, null], bins, signal, mode);
    return { ...detail, b: (await second.inspect(tensor, [b, null], bins, signal, mode)).a };
  }

  /** The model by way of its prepared copy. @throws as PreparedModel.make */
  async preparedView(options: RunOptions): Promise<PreparedView> {
    const prepared = await this.prepare(options);
    return (this.view ??= await this.viewOf(prepared, options));
  }

  /** A copy that is made after codes were chosen has them chosen on the same samples. */
  private async viewOf(prepared: PreparedModel, options: RunOptions): Promise<PreparedView> {
    const { chosenOn } = this;
    if (chosenOn !== null) await this.chooseCodes(prepared.session, chosenOn, options);
    return new PreparedView(this.session, prepared);
  }

  /** @throws AppError UNSUPPORTED before the model is calibrated */
  calibratedModel({ equalize }: Pick<Recipe, 'equalize'>): StaticModel {
    const { equalized } = this;
    const isEven = equalize === true || (equalize === 'byOutputs' && this.isEvenBetter);
    if (isEven && equalized !== null) return equalized;
    if (this.static !== null) return this.static;
    throw new AppError('UNSUPPORTED', 'mode static needs samples; calibrate the model first', {
      file: this.session.label,
      field: 'mode',
      found: equalized === null ? 'no ranges of activations' : 'ranges of equalized weights alone',
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
    { mode, equalizes, ...asked }: CalibrationWanted,
    options: RunOptions,
  ): Promise<Calibrated> {
    assertMode(this.session.opened, mode);
    const { choosesCodes: _, rangeOf, equalizeOf, ...wanted } = asked;
    if (mode !== 'static') {
      const { moments, ...found } = await this.observeMoments(this.session, wanted, options);
      this.session.useMoments(moments);
      this.chosenOn = wanted;
      // Where it was made while no codes were chosen; one that is made later chooses its own.
      const copy = this.view === null ? null : await this.prepare(options);
      if (copy !== null) await this.chooseCodes(copy.session, wanted, options);
      this.found = { ...this.found, others: { ...found, values: 0, skipped: 0 } };
      return this.found.others!;
    }
    const prepared = await this.prepare(options, wanted);
    const even =
      equalizes === true ? await calibrateEqualized(prepared, this.runtime, wanted, options) : null;
    const isOther = even !== null && even.prepared !== prepared;
    // Without factors the copy is the prepared model itself, whose ranges tell why.
    const own = even === null || isOther ? await prepared.calibrate(wanted, options) : even.ranges;
    const isEven = rangeOf?.equalize === true && isOther;
    const plain = { ...asked, rangeOf: isEven ? undefined : rangeOf };
    const found = await this.chosen({ prepared, ranges: own }, plain, options);
    const takes = isEven || equalizeOf !== undefined;
    const evened = { ...asked, rangeOf: takes ? rangeOf : undefined };
    const equalized = isOther ? await this.chosen(even, evened, options) : null;
    const better =
      equalized === null || equalizeOf === undefined
        ? null
        : await this.better(found, equalized, equalizeOf, wanted, options);
    this.equalized = null;
    this.isEvenBetter = isEqualized({ equalization: better?.equalization });
    if (equalized !== null) this.take(better === null ? equalized : better.equalized, true);
    return this.take(better === null ? found : better.plain, equalizes === true);
  }

  /** Both copies with what comparing them found, where a recipe has weights equalized only where less is lost. */
  private async better(
    plain: Planned,
    equalized: Planned,
    recipe: Recipe,
    wanted: CalibrationInputs,
    options: RunOptions,
  ): Promise<{ plain: Planned; equalized: Planned; equalization: Equalization }> {
    const own = equalized.ranges.equalization!;
    const of = ({ prepared, ranges }: Planned) => ({
      session: prepared.session,
      best: ranges.best,
    });
    const equalization = await chooseEqualization(
      { plain: of(plain), even: of(equalized) },
      ...([own, recipe, this.runtime, wanted, options] as const),
    );
    const told = (side: Planned, more: Equalization): Planned => {
      const ranges = { ...side.ranges, equalization: more };
      side.prepared.use(ranges);
      return { ...side, ranges };
    };
    return {
      equalization,
      plain: isEqualized({ equalization }) ? plain : told(plain, equalization),
      equalized: told(equalized, { ...own, tried: equalization.tried }),
    };
  }

  /** Plan mode static by ranges that were saved before. @throws AppError IO, BAD_USAGE for a file of something else */
  async openRanges(file: string, options: RunOptions): Promise<Calibrated> {
    assertMode(this.session.opened, 'static');
    const ranges = readRanges(file);
    const prepared = await this.prepare(options);
    assertRangesOf(prepared.session.opened.graph(), ranges, file);
    const { weights = 0, isRandom = false } = this.found.static ?? {};
    const copy = copyOf(prepared, ranges, file, options);
    copy.use(ranges);
    if (!isEqualized(ranges)) this.equalized = null;
    this.isEvenBetter = isEqualized(ranges);
    const planned = { prepared: copy, ranges, facts: { weights, isRandom, warnings: [] } };
    return this.take(planned, ranges.equalization !== undefined);
  }

  /** Write the ranges that mode static plans a recipe by, whole or not at all. @throws AppError TARGET, IO */
  saveRanges(target: string, recipe: Recipe): void {
    const { ranges } = this.calibratedModel(recipe);
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
    this.static = this.equalized = null;
    this.found = { static: null, others: null };
  }

  /** What plans go by. */
  get calibrations(): Calibrations {
    return this.found;
  }

  private async chooseCodes(
    session: Session,
    wanted: CalibrationInputs,
    options: RunOptions,
  ): Promise<void> {
    const { moments } = await this.observeMoments(session, wanted, options);
    session.useMoments(moments);
  }

  /** Choose on samples what a recipe has chosen on them. */
  private async chosen(
    { prepared, ranges: { description, ...ranges } }: Observed,
    { choosesCodes, rangeOf, ...wanted }: Omit<CalibrationWanted, 'mode'>,
    options: RunOptions,
  ): Promise<Planned> {
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
    const chosen = { ...ranges, best };
    prepared.use(chosen);
    const { warnings } = description;
    return { prepared, ranges: chosen, facts: { weights, isRandom, warnings } };
  }

  /** Plan mode static by ranges, for recipes of their copy. @param isAsked whether one with equalized weights was asked for */
  private take({ prepared, ranges, facts }: Planned, isAsked: boolean): Calibrated {
    const model = new StaticModel(this.session, prepared, ranges);
    if (isEqualized(ranges)) this.equalized = model;
    else this.static = model;
    const { samples, values, skipped } = ranges;
    const always = this.equalized !== null;
    const found = {
      ...{ ...facts, samples, values: values.length, skipped: skipped.length },
      equalized: { isAsked, always, byOutputs: always && this.isEvenBetter },
    };
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

  /** @param checkedOn as in PreparedModel.make, where this makes it */
  private async prepare(
    options: RunOptions,
    checkedOn?: CalibrationInputs,
  ): Promise<PreparedModel> {
    const making = this.prepared ?? this.making(options, checkedOn);
    try {
      return await making;
    } catch (error) {
      // Whoever asked first may have cancelled what others wait for.
      const isOther = error instanceof AppError && error.code === 'CANCELLED';
      if (isOther && !options.signal.aborted) return this.prepare(options, checkedOn);
      throw error;
    }
  }

  private making(options: RunOptions, checkedOn?: CalibrationInputs): Promise<PreparedModel> {
    const { session, pool, runtime } = this;
    const making = PreparedModel.make(session, pool, runtime, options, checkedOn);
    this.prepared = making;
    // What was cancelled or failed is made anew next time.
    making.catch(() => {
      if (this.prepared === making) this.prepared = null;
    });
    return making;
  }
}
