import * as fs from 'node:fs';
import type { SampleInputs } from '../../../shared/protocol.ts';
import { parseRecipe } from '../../../shared/recipe-file.ts';
import type { CalibrationInputs } from '../calibrate/prepared.ts';
import type { Grants } from '../grants.ts';
import type { Context, Handlers } from './handler.ts';

/** Samples, what is observed on them, and what mode static makes of that. */
export function calibrationHandlers({
  models,
  grants,
}: Context): Pick<
  Handlers,
  | 'describeSamples'
  | 'calibrate'
  | 'openRanges'
  | 'saveRanges'
  | 'activations'
  | 'inspectActivation'
> {
  return {
    describeSamples: async ({ handle, ...wanted }, call) =>
      models.model(handle).describeSamples(await calibrationInputs(grants, wanted), call),
    calibrate: async (
      { handle, mode, choosesCodes, rangeOf, equalizeOf, equalizes, ...wanted },
      call,
    ) => {
      const inputs = await calibrationInputs(grants, wanted);
      const how = {
        ...{ mode, choosesCodes, equalizes },
        rangeOf: rangeOf && parseRecipe(rangeOf),
        equalizeOf: equalizeOf && parseRecipe(equalizeOf),
      };
      return models.model(handle).calibrate({ ...inputs, ...how }, call);
    },
    openRanges: async ({ handle, file }, call) =>
      models.model(handle).openRanges(await grants.path(file, 'read'), call),
    saveRanges: async ({ handle, target, recipe }) => {
      models.model(handle).saveRanges(await grants.path(target, 'write'), parseRecipe(recipe));
      return null;
    },
    activations: ({ handle, recipe }) => {
      const wanted = parseRecipe(recipe);
      return models.model(handle).calibratedModel(wanted).layerActivations(wanted);
    },
    inspectActivation: ({ handle, tensor, recipe, bins }) => {
      const wanted = parseRecipe(recipe);
      return models.model(handle).calibratedModel(wanted).activation(tensor, wanted, bins);
    },
  };
}

/** One handle may be a folder; several are files. */
async function calibrationInputs(
  grants: Grants,
  { inputs, samples, seed, recipe }: SampleInputs,
): Promise<CalibrationInputs> {
  const { calibration } = parseRecipe(recipe);
  const paths =
    inputs === null ? null : await Promise.all(inputs.map((handle) => grants.path(handle, 'read')));
  const [first] = paths ?? [];
  const isFolder = paths?.length === 1 && isDirectory(first!);
  return {
    ...{ inputs: isFolder ? first! : paths, samples, limit: samples, seed },
    settings: calibration,
  };
}

function isDirectory(file: string): boolean {
  return fs.statSync(file, { throwIfNoEntry: false })?.isDirectory() === true;
}
