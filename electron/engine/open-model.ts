import type { Calibrated } from '../../shared/activations.ts';
import { AppError } from '../../shared/errors.ts';
import type { ExportMode } from '../../shared/protocol.ts';
import { AnswerStore } from './answers/answer-store.ts';
import { PreparedModel, type CalibrationInputs } from './calibrate/prepared.ts';
import { assertMode } from './planning.ts';
import type { WorkerPool } from './pool.ts';
import { runInRuntime, type Runtime } from './runtime/host.ts';
import { runHintsOf } from './runtime/run-hints.ts';
import type { DescribedSamples } from './calibrate/describe-request.ts';
import type { RunOptions } from './run-options.ts';
import type { Session } from './session.ts';
import { StaticModel, type Measurable } from './static-model.ts';

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

  constructor(session: Session, pool: WorkerPool, runtime: Runtime) {
    this.session = session;
    this.pool = pool;
    this.runtime = runtime;
  }

  /** What answers in a mode. @throws AppError UNSUPPORTED in mode static before the model is calibrated */
  in(mode: ExportMode): Measurable {
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

  /** Observe activations over samples. What an earlier calibration found stays until this one is complete. */
  async calibrate(wanted: CalibrationInputs, options: RunOptions): Promise<Calibrated> {
    assertMode(this.session.opened, 'static');
    const prepared = await this.prepare(options);
    const found = await prepared.calibrate(wanted, options);
    this.static = new StaticModel(this.session, prepared, found);
    return this.static.calibrated;
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
  }

  /** The calibration that mode static plans by; null before there is one. */
  get calibrated(): Calibrated | null {
    return this.static?.calibrated ?? null;
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
