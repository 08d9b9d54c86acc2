import { AppError } from '../../../../../shared/errors.ts';
import type { ImageSettings } from '../../../../../shared/calibration-settings.ts';
import { described, type InputFacts } from '../../../runtime/dimensions.ts';
import { isControl, stateInputs, type ModelFacts } from '../../../runtime/inputs.ts';

/** How pictures become an input's values: every field settled, from the recipe or guessed from the input. */
export interface PictureInput {
  readonly input: InputFacts;
  readonly resize: 'fit' | 'cover' | 'stretch';
  /** Height and width in pixels; null where each picture has its own. */
  readonly size: readonly [number | null, number | null];
  readonly channels: 'RGB' | 'BGR' | 'RGBA' | 'gray';
  /** Of each channel, for values from 0 to 1: (value - mean) / std. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly layout: 'NCHW' | 'NHWC';
  /** Pictures in one sample. */
  readonly batch: number;
  /** The fields that the recipe leaves out. */
  readonly guessed: readonly (keyof ImageSettings)[];
}

/** ImageNet's, which most published networks for colour pictures are trained with (torchvision). */
const IMAGENET = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
const PICTURE_TYPES = ['float32', 'float64', 'float16', 'uint8', 'int8'];

/**
 * The input that pictures are for, and how they become its values.
 * @throws AppError BAD_USAGE when no input takes pictures or several do, or when a setting does not fit the input.
 */
export function pictureInput(
  place: string,
  model: ModelFacts,
  settings: ImageSettings,
): PictureInput {
  const input = inputOf(place, model);
  const layout = settings.layout ?? layoutOf(input) ?? 'NCHW';
  const axes = axesOf(input, layout);
  const count = sizeAt(input, axes.channel);
  const channels = settings.channels ?? (count === 1 ? 'gray' : count === 4 ? 'RGBA' : 'RGB');
  const number = channelCount(channels);
  const spread = (values: readonly number[]): readonly number[] =>
    values.length === 1 ? new Array<number>(number).fill(values[0]!) : values;
  const normal = normalOf(input, number);
  const size = settings.size ?? [sizeAt(input, axes.height), sizeAt(input, axes.width)];
  const guessed = FIELDS.filter((field) => settings[field] === undefined);
  const found: PictureInput = {
    input,
    layout,
    channels,
    resize: settings.resize ?? 'fit',
    size: [size[0], size[1]],
    mean: spread(settings.mean ?? normal.mean),
    std: spread(settings.std ?? normal.std),
    batch: axes.batch === null ? 1 : (sizeAt(input, axes.batch) ?? 1),
    guessed,
  };
  checkSettings(place, found, count);
  return found;
}

const FIELDS = ['resize', 'size', 'channels', 'mean', 'std', 'layout'] as const;

export function channelCount(channels: PictureInput['channels']): number {
  return channels === 'gray' ? 1 : channels === 'RGBA' ? 4 : 3;
}

function normalOf(
  { type }: InputFacts,
  channels: number,
): { readonly mean: readonly number[]; readonly std: readonly number[] } {
  // Integers take the pixels as they are; int8 those less 128.
  if (type === 'uint8' || type === 'int8')
    return { mean: [type === 'int8' ? 128 / 255 : 0], std: [1 / 255] };
  return channels === 3 ? IMAGENET : { mean: [0], std: [1] };
}

function inputOf(file: string, model: ModelFacts): InputFacts {
  const states = stateInputs(model);
  const fitting = model.inputs.filter(
    (input) => !states.has(input.name) && !isControl(input) && layoutOf(input) !== null,
  );
  const [input] = fitting;
  if (input !== undefined && fitting.length === 1) return input;
  throw new AppError(
    'BAD_USAGE',
    input === undefined
      ? 'the model has no input for pictures'
      : 'several inputs of the model take pictures',
    {
      file,
      field: 'inputs',
      found: (input === undefined ? model.inputs : fitting).map(described).join(', '),
      expected:
        'one input of three or four dimensions with 1, 3 or 4 channels; give .npz files with an array for each input instead',
    },
  );
}

/** The layout of an input's shape; null where pictures do not fit it. */
function layoutOf({ type, shape }: InputFacts): PictureInput['layout'] | null {
  if (!PICTURE_TYPES.includes(type) || (shape.length !== 3 && shape.length !== 4)) return null;
  const isChannels = (dim: number | string | undefined): boolean =>
    dim === 1 || dim === 3 || dim === 4;
  if (isChannels(shape.at(-3))) return 'NCHW';
  if (isChannels(shape.at(-1))) return 'NHWC';
  const isFree = typeof shape.at(-3) === 'string' || typeof shape.at(-1) === 'string';
  if (shape.length === 3 || !isFree) return null;
  return typeof shape.at(-3) === 'string' ? 'NCHW' : 'NHWC';
}

interface Axes {
  readonly batch: number | null;
  readonly channel: number;
  readonly height: number;
  readonly width: number;
}

function axesOf({ shape }: InputFacts, layout: PictureInput['layout']): Axes {
  const first = shape.length - 3;
  const batch = first === 0 ? null : 0;
  return layout === 'NCHW'
    ? { batch, channel: first, height: first + 1, width: first + 2 }
    : { batch, channel: first + 2, height: first, width: first + 1 };
}

function sizeAt({ shape }: InputFacts, axis: number): number | null {
  const dim = shape[axis];
  return typeof dim === 'number' ? dim : null;
}

function checkSettings(file: string, picture: PictureInput, count: number | null): void {
  const { channels, mean, std, input } = picture;
  const number = channelCount(channels);
  const refuse = (field: string, found: string, expected: string): never => {
    throw new AppError('BAD_USAGE', `the pictures do not fit the input ${described(input)}`, {
      file,
      field: `calibration.images.${field}`,
      found,
      expected,
    });
  };
  if (count !== null && count !== number)
    refuse('channels', `${channels}: ${number}`, `${count} channels`);
  if (mean.length !== number) refuse('mean', `${mean.length} values`, `1 or ${number}`);
  if (std.length !== number) refuse('std', `${std.length} values`, `1 or ${number}`);
  const fixed = axesOf(input, picture.layout);
  for (const [index, axis] of [fixed.height, fixed.width].entries()) {
    const dim = sizeAt(input, axis);
    if (dim !== null && dim !== picture.size[index])
      refuse('size', picture.size.join(' x '), `${dim} for ${index === 0 ? 'height' : 'width'}`);
  }
}
