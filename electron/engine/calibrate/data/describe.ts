import type { SamplesDescription, SourceKind } from '../../../../shared/samples.ts';
import { described } from '../../runtime/dimensions.ts';
import type { ModelFacts } from '../../runtime/inputs.ts';
import type { SoundInput } from './audio/sound-groups.ts';
import type { PictureInput } from './images/picture-input.ts';
import type { Feeds, SampleGroup } from './sample-group.ts';

export interface Described {
  readonly groups: readonly SampleGroup[];
  readonly model: ModelFacts;
  readonly first: Feeds;
  /** The names of the arrays that the first sample's files have. */
  readonly given: ReadonlySet<string>;
  readonly states: ReadonlySet<string>;
  readonly count: number;
  readonly sequence: boolean;
  readonly picture: PictureInput | null;
  readonly sound: SoundInput | null;
}

/** Describes samples of files by the first of them. */
export function describeSamples(found: Described): SamplesDescription {
  const { groups, model, first, given, states, count, sequence, picture, sound } = found;
  const kinds = new Map<SourceKind, number>();
  for (const { kind } of groups) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  // The one array of a model with one input may have any name.
  const isGiven = (name: string): boolean => given.has(name) || model.inputs.length === 1;
  return {
    count,
    sequence,
    kinds: [...kinds].map(([kind, samples]) => ({ kind, samples })),
    inputs: model.inputs.map(({ name, type, shape }) => ({
      name,
      type,
      shape,
      dims: first[name]!.dims,
      from: isGiven(name) ? 'files' : states.has(name) ? 'zero state' : 'constant',
    })),
    images: picture === null ? null : describePictures(picture),
    audio:
      sound === null ? null : { input: sound.input.name, rate: sound.rate, window: sound.window },
    warnings: [],
  };
}

function describePictures(picture: PictureInput): NonNullable<SamplesDescription['images']> {
  const { input, resize, size, channels, mean, std, layout, guessed } = picture;
  const settings = { resize, size, channels, mean, std, layout };
  return { input: input.name, settings, guessed };
}

/** The same as sentences, for the command line. */
export function samplesInWords(description: SamplesDescription): readonly string[] {
  const { count, sequence, kinds, inputs, images, audio, warnings } = description;
  const of = kinds.map(({ kind, samples }) => `${samples} ${kind}`).join(', ');
  const runs = sequence ? `${count} steps of sequences` : `${count} samples`;
  const sentences = [`Found ${runs} (${of}).`];
  for (const { name, type, dims, from } of inputs)
    sentences.push(`Input ${described({ name, type, shape: dims })} comes from ${SOURCES[from]}.`);
  if (images !== null) {
    const { resize, size, channels, mean, std, layout } = images.settings;
    const sides = size.map((side) => side ?? 'own').join(' x ');
    sentences.push(
      `Pictures become ${images.input}: resize ${resize} to ${sides}, ${channels}, ` +
        `mean ${mean?.join(' ')}, std ${std?.join(' ')}, ${layout}.`,
    );
    if (images.guessed.length > 0)
      sentences.push(
        `Guessed from the input: ${images.guessed.join(', ')}. ` +
          'Set them in the recipe under calibration.images.',
      );
  }
  if (audio !== null) {
    const window = audio.window === null ? 'whole files' : `windows of ${audio.window} samples`;
    sentences.push(`Sound becomes ${audio.input}: one channel at ${audio.rate} Hz, ${window}.`);
  }
  return [...sentences, ...warnings.map((warning) => `Warning: ${warning}.`)];
}

const SOURCES = {
  files: 'the files',
  random: 'a seeded generator of random numbers',
  'zero state': 'zeros at the start, then the state that the step before left',
  constant: 'its name: a mask of ones, a sample rate, lengths or positions',
};
