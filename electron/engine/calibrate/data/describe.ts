import type { SamplesDescription, SourceKind } from '../../../../shared/samples.ts';
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
