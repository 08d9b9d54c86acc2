import * as fs from 'node:fs';
import * as path from 'node:path';
import type { Equalization } from '../../../shared/equalization.ts';
import type { OperatorRef } from '../../../shared/graph.ts';
import type { LayerError, LayerErrors, SkippedLayer } from '../../../shared/layer-errors.ts';
import { counterparts, type Graphed } from '../calibrate/counterparts.ts';
import { strangerOf, writeEqualized } from '../equalize/equalize.ts';
import type { OpenedModel } from '../formats/format.ts';
import { openModel } from '../formats/registry.ts';
import { runInRuntime, type Runtime } from '../runtime/host.ts';
import { findLayers } from './find-layers.ts';
import { mainOperators } from './matching.ts';

/** What the layers of an export are compared with. */
export type Original =
  | { readonly file: string; asSource(errors: LayerErrors): LayerErrors }
  /** Nothing: why no layer has figures. */
  | { readonly skipped: readonly SkippedLayer[] };

const OTHER_FACTORS =
  'is not measured: equalization scaled values of the export by factors that the original does not have';
const UNKNOWN = 'is not measured: preparing the original made it for equalization';

/**
 * What the layers of an export are compared with: the model itself, or where weights were equalized its prepared copy with
 * the same factors, as the values between those layers are others. Outputs are the same. Where the model cannot have the
 * factors, its values say nothing of the export's.
 * @throws AppError RUNTIME with the runtime's own words where the model cannot be prepared
 */
export async function originalOf(
  opened: OpenedModel,
  runtime: Runtime,
  exported: string,
  folder: string,
  signal: AbortSignal,
): Promise<Original> {
  const copy = openModel(exported);
  try {
    const [own, equalization] = [factorsOf(opened), factorsOf(copy)];
    // A model that has factors itself hands them on.
    if (JSON.stringify(own?.layers) === JSON.stringify(equalization?.layers))
      return { file: opened.files[0]!.path, asSource: (errors) => errors };
    const isPlain = own === null && opened.equalizables !== undefined;
    const even =
      isPlain && equalization !== null
        ? await equalizedOriginal(opened, runtime, equalization, folder, signal)
        : null;
    return even ?? { skipped: allSkipped(opened, copy) };
  } finally {
    copy.close();
  }
}

/** Null where no weights were equalized. */
function factorsOf(opened: OpenedModel): Equalization | null {
  const found = opened.equalization?.() ?? null;
  return found === null || found.layers.length === 0 ? null : found;
}

/** The prepared copy of a model with an export's factors; null where it has no place for one of them. */
async function equalizedOriginal(
  opened: OpenedModel,
  runtime: Runtime,
  equalization: Equalization,
  folder: string,
  signal: AbortSignal,
): Promise<Original | null> {
  const out = path.join(folder, `prepared${opened.extension}`);
  const model = opened.files[0]!.path;
  await runInRuntime(runtime, { kind: 'prepare', model, out }, signal, () => undefined);
  const prepared = openModel(out);
  try {
    if (strangerOf(prepared, equalization) !== undefined) return null;
    const even = path.join(folder, 'equalized');
    fs.mkdirSync(even);
    const file = writeEqualized(prepared, equalization, even, signal);
    return { file, asSource: namingAsSource(opened, prepared) };
  } finally {
    prepared.close();
  }
}

function allSkipped(original: Graphed, exported: Graphed): SkippedLayer[] {
  const { layers, skipped } = findLayers(original, exported);
  return [...layers.map(({ name }) => ({ name, reason: OTHER_FACTORS })), ...skipped];
}

/** Names layers of a prepared copy as its source does, by operators and weights; those that the source lacks are skipped. */
function namingAsSource(
  source: OpenedModel,
  prepared: OpenedModel,
): (errors: LayerErrors) => LayerErrors {
  const { sourceOf } = counterparts(source.model, prepared.model);
  const operatorOf = sourceOperators(source.graph(), prepared.graph());
  return (errors) => {
    const skipped = [...errors.skipped];
    const layers = errors.layers.flatMap((layer): LayerError[] => {
      const found = operatorOf(layer.operator);
      if (found === undefined) {
        skipped.push({ name: layer.name, reason: UNKNOWN });
        return [];
      }
      const { id: operator, name, op } = found;
      const tensors = layer.tensors.flatMap((tensor) => sourceOf.get(tensor) ?? []);
      return [{ ...layer, name, op, operator, tensors }];
    });
    return { ...errors, layers, skipped };
  };
}

/** By number of a prepared copy's operator: the source's, which has its name or makes its value. */
function sourceOperators(
  source: ReturnType<OpenedModel['graph']>,
  prepared: ReturnType<OpenedModel['graph']>,
): (operator: number) => OperatorRef | undefined {
  const main = mainOperators(source);
  const byName = new Map(main.map((each) => [`${each.op} ${each.name}`, each]));
  const byValue = new Map(
    main.flatMap((each) =>
      each.outputs.flatMap((output) =>
        output === null ? [] : [[source.values[output]!.name, each] as const],
      ),
    ),
  );
  return (operator) => {
    const { op, name, outputs } = prepared.operators[operator]!;
    const output = outputs.find((each) => each !== null);
    const maker = output === undefined ? undefined : byValue.get(prepared.values[output]!.name);
    return maker?.op === op ? maker : (byName.get(`${op} ${name}`) ?? maker);
  };
}
