import * as fs from 'node:fs';
import * as path from 'node:path';
import type { EqualizedLayer, Equalization } from '../../../shared/equalization.ts';
import { isEqualized, type Ranges } from '../../../shared/ranges.ts';
import { throwIfAborted } from '../cancel.ts';
import type { OpenedModel } from '../formats/format.ts';
import { ioError } from '../source.ts';
import { findExponents, placesOf, scalingsOf, type Exponents } from './find-factors.ts';
import { rewriteTensor } from './scale-tensor.ts';

/** Factors for a model. @throws AppError CANCELLED */
export async function planEqualization(
  opened: OpenedModel,
  ranges: Pick<Ranges, 'values'>,
  signal: AbortSignal,
): Promise<Equalization> {
  if (opened.equalizables === undefined)
    return { layers: [], left: [], dropped: 'weights are equalized in ONNX models only' };
  if (hasFactors(opened))
    return { layers: [], left: [], dropped: 'the model has equalized weights already' };
  const { parts, left } = opened.equalizables();
  const { operators } = opened.graph();
  const exponents = await findExponents(opened, parts, ranges, signal);
  const nameOf = (operator: number): string => operators[operator]!.name;
  const resultOf = resultsOf(opened);
  const layers = parts.flatMap(({ operator, takers }, at): EqualizedLayer[] => {
    const own = exponents[at]!;
    if (typeof own === 'string' || own.every((each) => each === 0)) return [];
    const result = resultOf(operator);
    return [{ name: nameOf(operator), result, takers: takers.map(nameOf), exponents: own }];
  });
  const without = parts.flatMap(({ operator }, at) => {
    const own = exponents[at]!;
    return typeof own === 'string' ? [{ name: nameOf(operator), reason: own }] : [];
  });
  const told = left.map(({ operator, reason }) => ({ name: nameOf(operator), reason }));
  return { layers, left: [...told, ...without] };
}

/**
 * Write a copy of a model with factors moved between its weights; nothing else is changed.
 * @param opened a prepared copy, whose files are all in one folder
 * @param folder an empty one
 * @returns the copy's path
 */
export function writeEqualized(
  opened: OpenedModel,
  equalization: Equalization,
  folder: string,
  signal: AbortSignal,
): string {
  const { parts } = opened.equalizables!();
  const resultOf = resultsOf(opened);
  const byResult = new Map(equalization.layers.map((layer) => [layer.result, layer.exponents]));
  const exponents: Exponents = parts.map(({ operator, channels }) => {
    const own = byResult.get(resultOf(operator));
    return own?.length === channels ? own : 'has no factors';
  });
  const copies = opened.files.map(({ path: file }) => path.join(folder, path.basename(file)));
  try {
    for (const [at, { path: file }] of opened.files.entries())
      fs.copyFileSync(file, copies[at]!, fs.constants.COPYFILE_FICLONE);
  } catch (error) {
    throw ioError('cannot be copied', folder, error);
  }
  for (const [tensor, places] of placesOf(parts)) {
    throwIfAborted(signal);
    const scalings = scalingsOf(places, exponents);
    if (scalings.length > 0)
      rewriteTensor(opened.files, copies, opened.model.tensors[tensor]!, scalings);
  }
  opened.noteEqualization!(copies[0]!, equalization);
  return copies[0]!;
}

/** Whether a model notes factors: a file has one such note, which says how its values differ from its source's. */
function hasFactors(opened: OpenedModel): boolean {
  return isEqualized({ equalization: opened.equalization?.() ?? undefined });
}

/** The first layer that a model does not have, or not with so many channels; any where weights are equalized already. */
export function strangerOf(
  opened: OpenedModel,
  { layers }: Equalization,
): EqualizedLayer | undefined {
  if (hasFactors(opened)) return layers[0];
  const { parts } = opened.equalizables?.() ?? { parts: [] };
  const resultOf = resultsOf(opened);
  const channels = new Map(parts.map((part) => [resultOf(part.operator), part.channels]));
  return layers.find(({ result, exponents }) => channels.get(result) !== exponents.length);
}

/** Names of the first outputs of operators, which a graph has once each. */
function resultsOf(opened: OpenedModel): (operator: number) => string {
  const { operators, values } = opened.graph();
  return (operator) => values[operators[operator]!.outputs[0]!]!.name;
}
