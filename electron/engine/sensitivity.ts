import * as fs from 'node:fs';
import * as path from 'node:path';
import {
  byOutputs,
  type Budget,
  type BudgetName,
  type FilePlan,
  type Goal,
} from '../../shared/budget-plan.ts';
import { AppError } from '../../shared/errors.ts';
import { patternsOf } from '../../shared/patterns.ts';
import type { ExportMode } from '../../shared/exports.ts';
import type { Recipe } from '../../shared/recipe.ts';
import { fieldsOf, type Scheme } from '../../shared/scheme.ts';
import { planFile } from './budget.ts';
import type { RunOptions } from './run-options.ts';
import { runInRuntime, type Runtime } from './runtime/host.ts';
import { runHintsOf } from './runtime/run-hints.ts';
import { temporaryFolder } from './runtime/run-folder.ts';
import { measureLayersOf, withExport, type Inputs } from './runtime/run-models.ts';
import type { Session } from './session.ts';

/** What the outputs lose when one name alone is quantized. */
export interface Sensitivity {
  readonly name: string;
  /** The scheme that it was measured under: the coarsest of its options. */
  readonly scheme: Scheme;
  /** Noise power over signal power, the mean over the outputs. */
  readonly noise: number;
  /** False for a first-order estimate: the local error, as far as the measured layers pass theirs on. */
  readonly isMeasured: boolean;
}

/** Layers that are measured one by one; where there are more, those of the largest estimates. */
const MOST_MEASURED = 64;
/** Bytes of copies that are on the disk at a time. */
const BATCH_BYTES = 512 << 20;

export interface SensitivityRequest {
  readonly mode: ExportMode;
  readonly inputs: Inputs;
  /** Layers that are measured; MOST_MEASURED where it is missing. */
  readonly most?: number;
}

/**
 * What the outputs of a model lose when each layer alone is quantized, on samples: a copy of the model is exported and
 * run for each layer. Where there are too many, the error of each layer's own output is carried on as an estimate
 * first, and the worst are measured.
 * @throws AppError UNSUPPORTED for a format that no runtime runs, RUNTIME with the runtime's own words.
 */
export async function measureSensitivity(
  session: Session,
  runtime: Runtime,
  budget: Budget,
  { mode, inputs, most = MOST_MEASURED }: SensitivityRequest,
  options: RunOptions,
): Promise<readonly Sensitivity[]> {
  runHintsOf(session.opened);
  const asked = budget.names.flatMap((each) => coarsest(each) ?? []);
  const measuring = new Measuring(session, runtime, mode, inputs, options);
  const estimates =
    asked.length > most ? await measuring.estimates(asked) : new Map<string, number>();
  const order = [...asked].sort((a, b) => rank(estimates, b) - rank(estimates, a));
  const chosen = order.slice(0, most);
  const measured = await measuring.noises(chosen.map((each) => [each]));
  const known = new Map(chosen.map(({ name }, at) => [name, measured[at]!]));
  const passedOn = median(
    chosen.flatMap(({ name }) => {
      const estimate = estimates.get(name) ?? 0;
      return estimate > 0 ? known.get(name)! / estimate : [];
    }),
  );
  return asked.map(({ name, scheme }) => {
    const noise = known.get(name);
    const estimate = (estimates.get(name) ?? 0) * passedOn;
    return { name, scheme, noise: noise ?? estimate, isMeasured: noise !== undefined };
  });
}

/** The budget in which noise is what the outputs lose: that of a weight, as far as its layer passes it on. */
export function budgetByOutputs(budget: Budget, found: readonly Sensitivity[]): Budget {
  const gains = new Map(
    found.map(({ name, scheme, noise }) => {
      const { options } = budget.names.find((each) => each.name === name)!;
      const key = JSON.stringify(scheme);
      const own = options.find((option) => JSON.stringify(option.scheme) === key)!.sums.noise;
      return [name, own > 0 ? noise / own : 0];
    }),
  );
  return byOutputs(budget, gains);
}

/** What the outputs of an export under a recipe lose, as SQNR in dB; null where they cannot be compared. */
export async function outputSqnr(
  session: Session,
  runtime: Runtime,
  recipe: Recipe,
  { mode, inputs }: SensitivityRequest,
  options: RunOptions,
): Promise<number | null> {
  const noise = await withExport(session, { recipe, mode }, options, (exported) =>
    runNoise(session, runtime, [exported], inputs, options),
  );
  return noise[0] === null || noise[0] === undefined ? null : -10 * Math.log10(noise[0]);
}

/** A plan by outputs, with the SQNR of its outputs as measured. */
export interface OutputPlan extends FilePlan {
  readonly outputSqnrDb: number | null;
}

/** How often a goal of dB is moved by as much as what was measured misses it. */
const MAX_ROUNDS = 4;

/**
 * The mix of schemes that reaches a goal with the least loss of the model's outputs, which is measured: a floor of dB
 * is met by the export as it runs on the samples, not by the estimate that chooses.
 */
export async function planByOutputs(
  session: Session,
  runtime: Runtime,
  {
    budget: weights,
    goal,
    ...request
  }: SensitivityRequest & { readonly budget: Budget; readonly goal: Goal },
  options: RunOptions,
): Promise<OutputPlan> {
  const found = await measureSensitivity(session, runtime, weights, request, options);
  const budget = budgetByOutputs(weights, found);
  const solved = async (wanted: Goal): Promise<OutputPlan> => {
    const plan = await planFile(session, budget, wanted, request.mode, options);
    const outputSqnrDb = await outputSqnr(session, runtime, plan.recipe, request, options);
    return { ...plan, outputSqnrDb };
  };
  let plan = await solved(goal);
  if ('maxBytes' in goal) return plan;
  let floor = goal.minSqnrDb;
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const missing = goal.minSqnrDb - (plan.outputSqnrDb ?? Infinity);
    if (missing <= 0 || !plan.meets) break;
    floor += missing;
    plan = await solved({ minSqnrDb: floor });
  }
  return { ...plan, meets: (plan.outputSqnrDb ?? Infinity) >= goal.minSqnrDb };
}

interface Asked {
  readonly name: string;
  readonly scheme: Scheme;
  readonly tensors: readonly number[];
}

/** The option of most noise: a small error would drown in that of float32 sums. */
function coarsest({ name, tensors, options }: BudgetName): Asked | null {
  const most = options.reduce((worst, each) => (each.sums.noise > worst.sums.noise ? each : worst));
  return most.scheme === null ? null : { name, scheme: most.scheme, tensors };
}

/** Those without an estimate come first, as nothing else tells of them. */
function rank(estimates: ReadonlyMap<string, number>, { name }: Asked): number {
  return estimates.get(name) ?? Infinity;
}

class Measuring {
  private readonly session: Session;
  private readonly runtime: Runtime;
  private readonly mode: ExportMode;
  private readonly inputs: Inputs;
  private readonly options: RunOptions;

  constructor(
    session: Session,
    runtime: Runtime,
    mode: ExportMode,
    inputs: Inputs,
    options: RunOptions,
  ) {
    [this.session, this.runtime, this.mode] = [session, runtime, mode];
    [this.inputs, this.options] = [inputs, options];
  }

  /** The noise that each layer adds to its own output, by name. */
  async estimates(asked: readonly Asked[]): Promise<ReadonlyMap<string, number>> {
    const under = { recipe: recipeOf(asked), mode: this.mode };
    const { layers } = await withExport(this.session, under, this.options, (exported) =>
      measureLayersOf(this.session, this.runtime, exported, this.inputs, this.options),
    );
    const local = new Map<number, number>();
    for (const { tensors, localSqnrDb: db } of layers)
      for (const id of db === null ? [] : tensors)
        local.set(id, (local.get(id) ?? 0) + 10 ** (-db! / 10));
    return new Map(
      asked.flatMap(({ name, tensors }) => {
        const noise = tensors.flatMap((id) => local.get(id) ?? []);
        return noise.length === 0 ? [] : [[name, noise.reduce((sum, each) => sum + each, 0)]];
      }),
    );
  }

  /** What the outputs lose under each of some sets of names, exported and run a batch at a time. */
  async noises(sets: readonly (readonly Asked[])[]): Promise<readonly number[]> {
    const bytes = this.session.bytes;
    const size = Math.max(1, Math.floor(BATCH_BYTES / bytes));
    const found: number[] = [];
    for (let at = 0; at < sets.length; at += size) {
      const folder = temporaryFolder();
      try {
        const files: string[] = [];
        for (const [index, set] of sets.slice(at, at + size).entries()) {
          // A folder of its own: external data has the name of its model.
          const own = path.join(folder, String(index));
          fs.mkdirSync(own);
          files.push(path.join(own, `model${this.session.opened.extension}`));
          await this.session.export(recipeOf(set), this.mode, files.at(-1)!, {
            signal: this.options.signal,
          });
        }
        const noise = await this.run(files, at, sets.length);
        for (const each of noise) found.push(this.compared(each));
      } finally {
        fs.rmSync(folder, { recursive: true, force: true });
      }
    }
    return found;
  }

  private run(files: readonly string[], from: number, of: number): Promise<(number | null)[]> {
    const { onProgress } = this.options;
    return runNoise(this.session, this.runtime, files, this.inputs, {
      ...this.options,
      onProgress: (progress) => {
        const inBatch = Math.floor((progress.fraction ?? 0) * files.length);
        onProgress?.({
          ...progress,
          ...{ what: 'Measuring layer', item: '', unit: 'layers' },
          ...{ done: Math.min(of, from + inBatch + 1), of },
          fraction: (from + (progress.fraction ?? 0) * files.length) / of,
          secondsLeft: null,
        });
      },
    });
  }

  private compared(noise: number | null): number {
    if (noise !== null) return noise;
    throw new AppError('RUNTIME', 'no output can be compared', {
      file: this.session.opened.files[0]!.path,
      expected: 'an output of numbers that are not all zero',
    });
  }
}

async function runNoise(
  session: Session,
  runtime: Runtime,
  copies: readonly string[],
  inputs: Inputs,
  { signal, onProgress }: RunOptions,
): Promise<(number | null)[]> {
  const hints = runHintsOf(session.opened);
  const request = {
    kind: 'outputNoise',
    model: session.opened.files[0]!.path,
    copies,
    ...inputs,
    hints,
  } as const;
  const noise = await runInRuntime(runtime, request, signal, (progress) =>
    onProgress?.({ ...progress, item: '', unit: 'samples', bytesDone: 0, bytesOf: 0 }),
  );
  return [...noise];
}

/** A recipe that quantizes these names and nothing else. */
function recipeOf(asked: readonly Asked[]): Recipe {
  const rules = asked.flatMap(({ name, scheme }) =>
    patternsOf([name]).map((pattern) => ({
      match: { name: pattern },
      scheme: fieldsOf(scheme),
    })),
  );
  return { version: 1, name: 'sensitivity', default: null, minElements: 0, rules };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? 1;
}
