import {
  NOTHING_TO_PREPARE,
  preparationLines,
  type Preparation,
} from '../../shared/preparation.ts';
import type { Recipe } from '../../shared/recipe.ts';
import { hasCopy } from '../engine/calibrate/prepared.ts';
import type { Session } from '../engine/session.ts';
import { UsageError, type OptionDefinition, type Values } from './command.ts';
import { print, printError } from './output.ts';

export const PREPARE_OPTION: OptionDefinition = {
  name: 'prepare',
  description:
    'ONNX: compute constants in advance and fuse normalizations into weights before anything is quantized, and compare the outputs of that copy with those of the model. Mode static does so in any case.',
};

/**
 * A recipe that prepares the model where --prepare says so.
 * @throws UsageError for a format of which nothing is prepared; where only the recipe asks for it, a warning
 */
export function withPrepare(values: Values, recipe: Recipe, { opened }: Session): Recipe {
  const isAsked = values['prepare'] === true;
  if (!hasCopy(opened)) {
    const why = NOTHING_TO_PREPARE[opened.model.format] ?? 'nothing is prepared of this format';
    if (isAsked) throw new UsageError(`--prepare is for ONNX models: ${why}`);
    if (recipe.prepare === true) printError(`quantscope: warning: ${why}`);
  }
  return isAsked ? { ...recipe, prepare: true } : recipe;
}

/** What preparing changed, and how that was checked. */
export function printPrepared(preparation: Preparation): void {
  for (const line of preparationLines(preparation)) print(line);
}
