import * as fs from 'node:fs';
import * as path from 'node:path';
import type { SampleSource } from '../calibrate/data/listing.ts';
import type { CalibrationSettings } from '../../../shared/calibration-settings.ts';
import type { LayerErrors, LayerPart } from '../../../shared/layer-errors.ts';
import type { ExportMode } from '../../../shared/exports.ts';
import type { VerifyResult } from '../../../shared/verification.ts';
import type { Recipe } from '../../../shared/recipe.ts';
import type { Keeping } from '../answers/kept-outputs.ts';
import { openModel } from '../formats/registry.ts';
import { originalOf } from '../layers/equalized-original.ts';
import type { RunOptions } from '../run-options.ts';
import type { Session } from '../session.ts';
import type { Budgeted } from '../prepared-view.ts';
import { runInRuntime, type Runtime } from './host.ts';
import { runHintsOf } from './run-hints.ts';
import { temporaryFolder } from './run-folder.ts';
import type { RunProgress } from './run-progress.ts';

/** What models are run on: so many seeded random samples, or those of a folder. */
export interface Inputs {
  readonly samples: number;
  readonly seed: number;
  readonly inputs: SampleSource | null;
  /** How many samples of files to take at most; all where it is missing. */
  readonly limit?: number | undefined;
  /** How pictures and sounds become inputs; what is left out is guessed. */
  readonly settings?: CalibrationSettings | undefined;
  /** Where outputs are kept to be shown. */
  readonly keep?: Keeping;
  /** Runs of each model that its time is the median of; 15 where it is missing. */
  readonly timedRuns?: number;
}

/**
 * Run the open model and an exported copy on the same inputs.
 * @throws AppError UNSUPPORTED for a format that no runtime runs, RUNTIME with the runtime's own words.
 */
export async function runBeside(
  session: Session,
  runtime: Runtime,
  exported: string,
  inputs: Inputs,
  options: RunOptions,
): Promise<VerifyResult> {
  session.assertUnchanged();
  const hints = runHintsOf(session.opened);
  const other = openModel(exported);
  const bytesAfter = other.files.reduce((sum, file) => sum + file.size, 0);
  const exportedUnder = other.recipeName?.() ?? null;
  other.close();
  const exportedHints = runHintsOf(other);
  const onProgress = (progress: RunProgress): void =>
    options.onProgress?.({
      ...progress,
      item: path.basename(exported),
      unit: 'samples',
      bytesDone: 0,
      bytesOf: 0,
    });
  const result = await inTemporaryFolder((folder) =>
    runInRuntime(
      runtime,
      {
        kind: 'verify',
        original: session.opened.files[0]!.path,
        exported,
        ...inputs,
        hints,
        exportedHints,
        optimized: path.join(folder, 'optimized.onnx'),
      },
      options.signal,
      onProgress,
    ),
  );
  return {
    ...result,
    bytesBefore: session.bytes,
    bytesAfter,
    ...(exportedUnder === null ? {} : { exportedUnder }),
  };
}

/**
 * Measure the error of each layer of an exported copy, local and accumulated.
 * @param only what of the export is measured alone; all of it where it is missing
 * @throws AppError UNSUPPORTED for a format that no runtime runs, RUNTIME with the runtime's own words.
 */
export async function measureLayersOf(
  session: Session,
  runtime: Runtime,
  exported: string,
  inputs: Inputs,
  { signal, onProgress }: RunOptions,
  only?: LayerPart,
): Promise<LayerErrors> {
  session.assertUnchanged();
  const hints = runHintsOf(session.opened);
  const item = path.basename(exported);
  return await inTemporaryFolder(async (folder) => {
    const original = await originalOf(session.opened, runtime, exported, folder, signal);
    if ('skipped' in original) return { samples: 0, layers: [], skipped: original.skipped };
    const found = await runInRuntime(
      runtime,
      { ...{ kind: 'layers', original: original.file, exported, folder }, ...inputs, hints, only },
      signal,
      (progress) => onProgress?.({ ...progress, item, unit: 'samples', bytesDone: 0, bytesOf: 0 }),
    );
    return original.asSource(found);
  });
}

/** What writes the copy that is run: a recipe, and the session itself where no other exporter is given. */
export interface Under {
  readonly recipe: Recipe;
  readonly mode: ExportMode;
  readonly exporter?: Pick<Budgeted, 'export' | 'ownLayers'>;
}

/** Work with a copy that is exported under a recipe, and deleted afterwards. */
export async function withExport<T>(
  session: Session,
  { recipe, mode, exporter = session }: Under,
  options: RunOptions,
  work: (exported: string) => Promise<T>,
): Promise<T> {
  runHintsOf(session.opened);
  return await inTemporaryFolder(async (folder) => {
    const exported = path.join(folder, `model${session.opened.extension}`);
    await exporter.export(recipe, mode, exported, options);
    return await work(exported);
  });
}

/** Run the open model beside a copy under a recipe. */
export async function runUnder(
  session: Session,
  runtime: Runtime,
  under: Under,
  inputs: Inputs,
  options: RunOptions,
): Promise<VerifyResult> {
  return await withExport(session, under, options, (exported) =>
    runBeside(session, runtime, exported, inputs, options),
  );
}

async function inTemporaryFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = temporaryFolder();
  try {
    return await work(folder);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}
