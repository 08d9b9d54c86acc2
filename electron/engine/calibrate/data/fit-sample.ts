import { AppError } from '../../../../shared/errors.ts';
import { described, type InputFacts } from '../../runtime/dimensions.ts';
import {
  isControl,
  makeInputs,
  stateInputs,
  type ArrayValue,
  type ModelFacts,
} from '../../runtime/inputs.ts';
import type { Feeds } from './sample-group.ts';

/**
 * A sample's arrays as the model's inputs. The one array of a model with one input may have any name.
 * States that are missing are zero, as at the start of a sequence.
 * @param place the file or folder of the sample, for messages
 * @param hasOnlyData whether the sample is a picture or a waveform: masks, lengths and rates are then made too
 * @throws AppError BAD_USAGE naming the input that has no array, or one of another type or shape.
 */
export function fitSample(
  place: string,
  sample: Feeds,
  model: ModelFacts,
  hasOnlyData = false,
): Feeds {
  const { inputs } = model;
  const arrays = Object.values(sample);
  const isOnly = inputs.length === 1 && arrays.length === 1;
  const named = isOnly ? Object.fromEntries([[inputs[0]!.name, arrays[0]!]]) : sample;
  const states = stateInputs(model);
  const isMade = (input: InputFacts): boolean =>
    !Object.hasOwn(named, input.name) &&
    (states.has(input.name) || (hasOnlyData && isControl(input)));
  const given = inputs.filter((input) => !isMade(input));
  const missing = given.find(({ name }) => !Object.hasOwn(named, name));
  if (missing !== undefined) throw noArray(place, sample, missing, inputs);
  for (const input of given) checkFits(place, input, named[input.name]!);
  const arraysOf = given.map(({ name }): [string, ArrayValue] => [name, named[name]!]);
  if (given.length === inputs.length) return Object.fromEntries(arraysOf);
  return { ...Object.fromEntries(arraysOf), ...missingInputs(model, named, isMade) };
}

function noArray(
  file: string,
  sample: Feeds,
  { name: field }: InputFacts,
  inputs: readonly InputFacts[],
): AppError {
  const found = Object.entries(sample)
    .map(([name, { type, dims }]) => described({ name, type, shape: dims }))
    .join(', ');
  const expected = `${inputs.map(described).join(', ')}; name each array as its input`;
  return new AppError('BAD_USAGE', 'a sample has no array for the input', {
    file,
    field,
    found,
    expected,
  });
}

function checkFits(file: string, input: InputFacts, { type, dims }: ArrayValue): void {
  const fits =
    type === input.type &&
    // onnxruntime reports an unknown rank as an empty shape.
    (input.shape.length === 0 ||
      (dims.length === input.shape.length &&
        input.shape.every((dim, axis) => typeof dim === 'string' || dim === dims[axis])));
  if (!fits)
    throw new AppError('BAD_USAGE', 'a sample does not fit the input', {
      file,
      field: input.name,
      found: described({ name: input.name, type, shape: dims }),
      expected: `${described(input)}; choose samples made for this model`,
    });
}

/** States and controls for a sample; names of free dimensions have the sizes that the sample's arrays have. */
function missingInputs(
  { inputs, outputs, hints }: ModelFacts,
  sample: Feeds,
  isMade: (input: InputFacts) => boolean,
): Feeds {
  const sizes = new Map<string, number>();
  let sequence = 1;
  for (const { name, shape } of inputs) {
    if (!Object.hasOwn(sample, name)) continue;
    const { dims } = sample[name]!;
    sequence = dims.at(-1) ?? 1;
    shape.forEach((dim, axis) => {
      if (typeof dim === 'string' && dim !== '') sizes.set(dim, dims[axis]!);
    });
  }
  const bound = inputs.map((input) => ({
    ...input,
    shape: input.shape.map((dim) => sizes.get(String(dim)) ?? dim),
  }));
  const wanted = {
    inputs: bound,
    outputs,
    hints,
    sizes: { image: [1, 1] as const, sequence, past: 0 },
  };
  return makeInputs(wanted, 0, isMade);
}
