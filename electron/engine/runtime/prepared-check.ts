import { AppError } from '../../../shared/errors.ts';
import { smallest } from '../../../shared/lists.ts';
import type { PreparationCheck } from '../../../shared/preparation.ts';
import { newNonFinite } from '../../../shared/verification.ts';
import type { Feeds } from '../calibrate/data/sample-group.ts';
import { CHECKED_SAMPLES } from '../calibrate/checked-samples.ts';
import { samplesFor, type WantedSamples } from '../calibrate/data/samples-for.ts';
import { runSamples, type Steps } from '../calibrate/run-samples.ts';
import { openModel } from '../formats/registry.ts';
import type { Outputs } from './compare-outputs.ts';
import { isFloat, type InputFacts } from './dimensions.ts';
import type { ArrayValue } from './inputs.ts';
import { loadModel } from './load-model.ts';
import { OutputCheck } from './output-check.ts';
import { uniform } from './random.ts';
import { SampleClock, type RunProgress } from './run-progress.ts';

/** SQNR of float outputs, dB, that rounding does not go below in models that do not amplify it. */
const ROUNDING_DB = { float32: 80, half: 40 } as const;
/** How far the outputs of a copy may be below those of the source on inputs that are off by one rounding: it rounds in every operator. */
const AMPLIFIED_DB = 20;
/** The same of outputs that are integers, where a model has no float output: ties may go either way. */
const INTEGER_DB = 20;

interface Compared {
  readonly model: string;
  readonly copy: string;
  readonly wanted: WantedSamples;
  readonly onProgress: (progress: RunProgress) => void;
}

/** The outputs of a model that is loaded for these alone: never two at a time, as each may take half the memory. */
interface Ran {
  readonly outputs: readonly Outputs[];
  readonly facts: ReadonlyMap<string, InputFacts>;
  readonly samples: Steps & { readonly count: number };
}

/**
 * Run a float model and its prepared copy on the same samples, as their files say, without graph optimizations.
 * @throws AppError RUNTIME where the copy does not run, or its outputs differ by more than float rounding explains
 */
export async function checkPrepared(asked: Compared): Promise<PreparationCheck> {
  const { model, copy, wanted } = asked;
  const { random } = wanted.hints;
  if (random.length > 0)
    return notChecked(`${random[0]!.operator} draws other numbers in each run`);
  let source: Ran;
  try {
    source = await run(model, asked);
  } catch (error) {
    // What the source cannot be run on says nothing of the copy.
    return notChecked(error instanceof AppError ? error.message : String(error));
  }
  const { outputs } = await run(copy, asked, source.samples).catch((error: unknown) =>
    refuse(model, 'copy', error instanceof AppError ? error.message : String(error), 'a run'),
  );
  const figures = [...compared(source, outputs)].map(([name, check]) => {
    const { sqnrDb, nonFinite } = check.result([]);
    const problem = check.isCompared ? newNonFinite(nonFinite) : check.problem;
    if (problem !== null) refuse(model, `output ${name}`, problem);
    return { name, sqnrDb };
  });
  const floats = figures.filter(({ name }) => isFloat(source.facts.get(name)!));
  const judged = floats.length > 0 ? floats : figures;
  await assertRounding(asked, source, judged, floats.length > 0);
  const known = judged.flatMap(({ sqnrDb }) => sqnrDb ?? []);
  return {
    samples: outputs.length,
    sqnrDb: known.length === 0 ? null : smallest(known),
    unchecked: null,
  };
}

interface Figure {
  readonly name: string;
  readonly sqnrDb: number | null;
}

/** @throws AppError RUNTIME where an output differs by more than rounding explains */
async function assertRounding(
  asked: Compared,
  source: Ran,
  outputs: readonly Figure[],
  areFloats: boolean,
): Promise<void> {
  const limit = areFloats ? floatLimit(asked.model) : INTEGER_DB;
  const below = outputs.filter(({ sqnrDb }) => sqnrDb !== null && sqnrDb < limit);
  if (below.length === 0) return;
  const shaken = areFloats ? await shakenBy(asked, source) : new Map<string, number>();
  for (const { name, sqnrDb } of below) {
    const least = Math.min(limit, (shaken.get(name) ?? Infinity) - AMPLIFIED_DB);
    if (sqnrDb! >= least) continue;
    const found = `an SQNR of ${sqnrDb!.toFixed(1)} dB`;
    refuse(asked.model, `output ${name}`, found, `at least ${least.toFixed(0)} dB`);
  }
}

function notChecked(unchecked: string): PreparationCheck {
  return { samples: 0, sqnrDb: null, unchecked };
}

/** @throws AppError RUNTIME */
function refuse(
  file: string,
  field: string,
  found: string,
  expected = 'the outputs of the model itself',
): never {
  throw new AppError(
    'RUNTIME',
    'is not prepared, because its prepared copy differs by more than float rounding explains; export it without preparing it, in a mode other than static',
    { file, field, found, expected },
  );
}

/** @param known the samples, where they were made for the source */
async function run(
  file: string,
  { wanted, onProgress }: Compared,
  known?: Ran['samples'],
): Promise<Ran> {
  const model = await loadModel(file, wanted.hints, { isUnchanged: true });
  try {
    const samples = known ?? (await samplesFor(model, wanted));
    const facts = new Map(model.outputs.map((each) => [each.name, each]));
    const outputs: Outputs[] = [];
    const count = Math.min(samples.count, CHECKED_SAMPLES);
    const clock = new SampleClock(onProgress, 'Checking the prepared copy', 1, count);
    await runSamples(model, samples, clock, (each) => void outputs.push(each));
    return { samples, facts, outputs };
  } finally {
    await model.release();
  }
}

function compared(source: Ran, outputs: readonly Outputs[]): ReadonlyMap<string, OutputCheck> {
  return new Map(
    [...source.facts].map(([name, facts]) => {
      const check = new OutputCheck(name, isFloat(facts));
      for (const [at, before] of source.outputs.entries())
        check.add(before.get(name), outputs[at]?.get(name));
      return [name, check];
    }),
  );
}

/** Of a model that stores 16-bit floats, rounding is that of those. */
function floatLimit(file: string): number {
  return ROUNDING_DB[storesHalves(file) ? 'half' : 'float32'];
}

function storesHalves(file: string): boolean {
  const opened = openModel(file);
  opened.close();
  return opened.model.tensors.some(({ dtype }) => dtype === 'float16' || dtype === 'bfloat16');
}

/** The SQNR of the source's outputs when its inputs are off by one rounding: what it makes of rounding by itself. */
async function shakenBy(asked: Compared, source: Ran): Promise<ReadonlyMap<string, number>> {
  const step = 2 ** (storesHalves(asked.model) ? -10 : -23);
  const next = uniform(0);
  const off = (): number => step * (2 * next() - 1);
  const { samples } = source;
  const { outputs } = await run(asked.model, asked, {
    count: samples.count,
    sequence: samples.sequence,
    carried: samples.carried,
    startsSequence: (index) => samples.startsSequence(index),
    at: async (index): Promise<Feeds> => {
      const feeds = Object.entries(await samples.at(index));
      return Object.fromEntries(feeds.map(([name, each]) => [name, shaken(each, off)]));
    },
  });
  return new Map(
    [...compared(source, outputs)].flatMap(([name, check]) => {
      const { sqnrDb } = check.result([]);
      return sqnrDb === null ? [] : [[name, sqnrDb]];
    }),
  );
}

function shaken(value: ArrayValue, off: () => number): ArrayValue {
  const { data } = value;
  if (!(data instanceof Float32Array || data instanceof Float64Array)) return value;
  return { ...value, data: data.map((each) => each * (1 + off())) };
}
