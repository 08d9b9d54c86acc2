import type { Equalization } from '../../../shared/equalization.ts';
import { AppError } from '../../../shared/errors.ts';
import type { Ranges } from '../../../shared/ranges.ts';
import type { CalibrationInputs, PreparedModel } from '../calibrate/prepared.ts';
import type { ObserveResult } from '../calibrate/observe.ts';
import { runNoise } from '../copies-noise.ts';
import type { RunOptions } from '../run-options.ts';
import type { Runtime } from '../runtime/host.ts';
import { planEqualization, strangerOf } from './equalize.ts';
import { observedValues } from './find-factors.ts';

/** Samples that float results are compared on. */
const COMPARED = 2;

/**
 * Noise over signal that the order of float32 sums explains, 90 dB below. Powers of two leave none, except in weights
 * that are subnormal.
 */
const ROUNDING = 1e-9;

/** A prepared copy and what was observed of it. */
export interface Observed {
  readonly prepared: PreparedModel;
  readonly ranges: ObserveResult;
}

/**
 * Calibrate the copy of a prepared model in which factors are moved between weights, or the model itself where there are
 * none, or where float results are not the same.
 */
export async function calibrateEqualized(
  prepared: PreparedModel,
  runtime: Runtime,
  wanted: CalibrationInputs,
  options: RunOptions,
): Promise<Observed> {
  const found = await equalizedCopy(prepared, runtime, wanted, options);
  const ranges = await found.prepared.calibrate(wanted, options);
  return { ...found, ranges: { ...ranges, equalization: found.equalization } };
}

/**
 * The copy of a prepared model that ranges of a file were observed of.
 * @throws AppError BAD_USAGE where they are of layers that another model has
 */
export function copyOf(
  prepared: PreparedModel,
  { equalization }: Ranges,
  file: string,
  options: RunOptions,
): PreparedModel {
  if (equalization === undefined || equalization.layers.length === 0) return prepared;
  const stranger = strangerOf(prepared.session.opened, equalization);
  if (stranger === undefined) return prepared.equalized(equalization, options);
  throw new AppError('BAD_USAGE', 'holds ranges of another model', {
    ...{ file, field: 'equalization' },
    found: `layer ${stranger.name} of ${stranger.exponents.length} channels`,
    expected: 'layers of this model whose results can have factors',
  });
}

/**
 * The copy of a prepared model in which factors are moved between weights, or the model itself where there are none.
 * @param known what was observed of the model; what is needed of it is observed where that is missing
 */
export async function equalizedCopy(
  prepared: PreparedModel,
  runtime: Runtime,
  wanted: CalibrationInputs,
  options: RunOptions,
  known?: Ranges,
): Promise<{ readonly prepared: PreparedModel; readonly equalization: Equalization }> {
  const { opened } = prepared.session;
  const names = observedValues(opened.equalizables?.().parts ?? []);
  const observe = (): Promise<Pick<Ranges, 'values'>> => prepared.calibrate(wanted, options, names);
  const observed = names.length === 0 ? { values: [] } : (known ?? (await observe()));
  const equalization = await planEqualization(opened, observed, options.signal);
  if (equalization.layers.length === 0) return { prepared, equalization };
  const copy = prepared.equalized(equalization, options);
  const dropped = await whyOther(prepared, copy, runtime, wanted, options);
  if (dropped === null) return { prepared: copy, equalization };
  return { prepared, equalization: { ...equalization, layers: [], dropped } };
}

/** Why a copy is not the same model in float; null where it is. */
async function whyOther(
  { session }: PreparedModel,
  copy: PreparedModel,
  runtime: Runtime,
  wanted: CalibrationInputs,
  options: RunOptions,
): Promise<string | null> {
  const limit = Math.min(wanted.limit ?? COMPARED, COMPARED);
  const inputs = { ...wanted, limit, samples: Math.min(wanted.samples, COMPARED) };
  const file = copy.session.opened.files[0]!.path;
  const how = { mode: 'float', inputs, isUnchanged: true } as const;
  const [noise] = await runNoise(session, runtime, [file], how, options);
  if (noise === null || noise === undefined) return 'no output can be compared in float';
  if (noise.noise <= ROUNDING) return null;
  const db = (-10 * Math.log10(noise.noise)).toFixed(0);
  return `float results have an SQNR of ${db} dB, which rounding does not explain`;
}
