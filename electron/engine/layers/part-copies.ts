import * as fs from 'node:fs';
import * as path from 'node:path';
import { AppError } from '../../../shared/errors.ts';
import type { LayerPart, SkippedLayer } from '../../../shared/layer-errors.ts';
import type { Layout } from '../export/layout.ts';
import type { ActivationCodes, OpenedModel } from '../formats/format.ts';
import { bringBeside, ModelCopies, writeCopy } from '../runtime/model-copies.ts';
import type { RunHints } from '../runtime/inputs.ts';
import { roundedValues } from './rounded-values.ts';

/** Operators that compute on codes of values, or make them on every run. */
const ON_CODES = /^DynamicQuantize|^Q(Linear|Gemm|Attention|MoE|Ordered)|Integer(ToFloat)?$/;

/** What a copy that holds a part of an export's rounding is made in. */
export interface PartRequest {
  readonly only: LayerPart;
  /** A folder of its own. */
  readonly folder: string;
  readonly hints: RunHints;
}

/**
 * A model that rounds as an export does, but in its weights or its activations alone: the export with its values in
 * float, or the original with its values rounded to the export's codes.
 * @throws AppError UNSUPPORTED where the export does not hold both apart
 */
export async function partCopies(
  original: ModelCopies,
  exported: ModelCopies,
  request: PartRequest,
): Promise<{ readonly copies: ModelCopies; readonly skipped: readonly SkippedLayer[] }> {
  const codes = exported.opened.activationCodes?.() ?? [];
  assertApart([original.opened, exported.opened], codes, request.only);
  if (request.only === 'weights') {
    const layout = exported.opened.withExactActivations!(codes);
    return { copies: await copiesBy(exported.opened, layout, request), skipped: [] };
  }
  const { values, skipped } = roundedValues(
    original.opened.graph(),
    exported.opened.graph(),
    codes,
  );
  const layout = original.opened.withRoundedActivations!(values);
  return { copies: await copiesBy(original.opened, layout, request), skipped };
}

function assertApart(
  [original, exported]: readonly [OpenedModel, OpenedModel],
  codes: readonly ActivationCodes[],
  only: LayerPart,
): void {
  const onCodes = exported.graph().operators.find(({ op }) => ON_CODES.test(op));
  const isOnnx = [original, exported].every(({ model }) => model.format === 'onnx');
  const isApart = isOnnx && onCodes === undefined;
  // Of an export that stores weights alone, they are all of it.
  if (isApart && (codes.length > 0 || only === 'weights')) return;
  throw new AppError('UNSUPPORTED', `has no ${only} that can be measured by themselves`, {
    ...{ file: exported.files[0]!.path, field: 'only' },
    found: isOnnx ? (onCodes?.op ?? 'activations in float') : 'another format',
    expected: 'an ONNX export of mode static, with QuantizeLinear and DequantizeLinear',
  });
}

async function copiesBy(
  opened: OpenedModel,
  layout: Layout,
  { folder, hints }: PartRequest,
): Promise<ModelCopies> {
  fs.mkdirSync(folder, { recursive: true });
  for (const { path: from } of opened.files.slice(1))
    bringBeside(opened.files[0]!.path, from, folder);
  const target = path.join(folder, `part${opened.extension}`);
  await writeCopy(opened, layout, target);
  return new ModelCopies(target, folder, hints);
}
