import * as fs from 'node:fs';
import * as path from 'node:path';
import { onnx } from 'onnx-proto';
import { PreparedModel, type CalibrationInputs } from '../../electron/engine/calibrate/prepared.ts';
import type { ObserveResult } from '../../electron/engine/calibrate/observe.ts';
import { rangesFromText, rangesToText } from '../../electron/engine/calibrate/ranges-file.ts';
import type { WorkerPool } from '../../electron/engine/pool.ts';
import { Session } from '../../electron/engine/session.ts';
import type { ModelGraph } from '../../shared/graph.ts';
import type { Plan } from '../../shared/plan.ts';
import type { ExportResult } from '../../shared/exports.ts';
import type { ObservedValue } from '../../shared/ranges.ts';
import type { Recipe } from '../../shared/recipe.ts';
import { sharedRuntime } from './shared-runtime.ts';

export interface Static {
  readonly out: string;
  readonly result: ExportResult;
  readonly plan: Plan;
  /** Of the prepared model, which the plan's numbers are of. */
  readonly graph: ModelGraph;
  readonly proto: onnx.ModelProto;
  readonly observed: ReadonlyMap<string, ObservedValue>;
  /** The plan's words on an operator of the prepared model. */
  readonly reasonOf: (operator: string) => string | null;
}

export const RANDOM: CalibrationInputs = { inputs: null, samples: 3, seed: 1 };

const { signal } = new AbortController();

/** A model that is prepared and calibrated once, to be exported by several recipes. */
export interface Calibrated {
  readonly export: (wanted: Recipe) => Promise<Static>;
  readonly close: () => void;
}

/** Prepare a model and calibrate it on samples. */
export async function calibrateStatic(
  { pool, folder }: { readonly pool: WorkerPool; readonly folder: string },
  file: string,
  inputs: CalibrationInputs = RANDOM,
): Promise<Calibrated> {
  const source = Session.open(file, pool);
  const prepared = await PreparedModel.make(source, pool, sharedRuntime, { signal });
  const close = () => {
    prepared.close();
    source.close();
  };
  try {
    const observed = await prepared.calibrate(inputs, { signal });
    // Through their file, so that it loses nothing.
    prepared.use(rangesFromText(rangesToText(observed), 'ranges.json'));
    const out = path.join(folder, `static-${path.basename(file)}`);
    return { close, export: (wanted) => exportOf(prepared, observed, wanted, out) };
  } catch (error) {
    close();
    throw error;
  }
}

async function exportOf(
  { session }: PreparedModel,
  observed: ObserveResult,
  wanted: Recipe,
  out: string,
): Promise<Static> {
  const result = await session.export(wanted, 'static', out, { signal, overwrite: true });
  const plan = session.plan(wanted, 'static');
  const graph = session.opened.graph();
  return {
    ...{ out, result, plan, graph, proto: onnx.ModelProto.decode(fs.readFileSync(out)) },
    observed: new Map(observed.values.map((value) => [value.name, value])),
    reasonOf: (name) => {
      const operator = graph.operators.find((each) => each.name === name || each.op === name)!;
      return plan.operators[operator.id]!.reason;
    },
  };
}

/** Prepare a model, calibrate it on samples, and export it in mode static. */
export async function exportStatic(
  where: { readonly pool: WorkerPool; readonly folder: string },
  file: string,
  wanted: Recipe,
  inputs: CalibrationInputs = RANDOM,
): Promise<Static> {
  const calibrated = await calibrateStatic(where, file, inputs);
  try {
    return await calibrated.export(wanted);
  } finally {
    calibrated.close();
  }
}
