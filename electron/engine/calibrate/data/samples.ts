import * as path from 'node:path';
import type { CalibrationSettings } from '../../../../shared/calibration-settings.ts';
import { AppError } from '../../../../shared/errors.ts';
import { append } from '../../../../shared/lists.ts';
import { stateInputs, type ModelFacts } from '../../runtime/inputs.ts';
import { carriedInputs } from '../../runtime/states.ts';
import { arrayGroups } from './array-groups.ts';
import { SOUND_EXTENSIONS, soundGroups, soundInput } from './audio/sound-groups.ts';
import type { Preview, SamplesDescription, SourceKind } from '../../../../shared/samples.ts';
import { describeSamples, type Described } from './describe.ts';
import { fitSample } from './fit-sample.ts';
import { extensionOf, filesOf, listSource, type Listing, type SampleSource } from './listing.ts';
import { PICTURE_EXTENSIONS, pictureGroups } from './images/picture-groups.ts';
import { pictureInput } from './images/picture-input.ts';
import { pictureThumbnail, waveformEnvelope } from './preview.ts';
import type { Feeds, SampleGroup } from './sample-group.ts';

/** Samples of a model's inputs, each made or read when it is asked for: memory is that of one sample. */
export interface Samples {
  /** Runs of the model: samples, or the steps of all sequences. */
  readonly count: number;
  /** Whether samples are steps that pass a state on; see nextFeeds. */
  readonly sequence: boolean;
  /** State inputs, each with the output that feeds it in the next step. */
  readonly carried: ReadonlyMap<string, string>;
  /** Whether a step is the first of its sequence, where states are as the sample says (zero, mostly). */
  startsSequence(index: number): boolean;
  /** What was understood, by the first sample. */
  describe(): SamplesDescription;
  /** The sample as a small picture or waveform; null for arrays and random samples. @throws AppError naming the file. */
  preview(index: number): Promise<Preview | null>;
  /** The name of the file, or the folder of several, that the sample comes from; null for random ones. */
  nameAt(index: number): string | null;
  /** The inputs of a run. @throws AppError naming the file that cannot be read or is not for the model. */
  at(index: number): Promise<Feeds>;
}

const EXTENSIONS = ['.npz', '.npy', '.pb', ...PICTURE_EXTENSIONS, ...SOUND_EXTENSIONS];

/**
 * Opens the samples of a folder or of a list of files: arrays (see arrayGroups), pictures
 * and .wav files, also in subfolders. Reads the first one to check it.
 * @param settings how pictures become an input; what is left out is guessed from the input
 * @param limit how many samples to take at most; sequences are taken whole
 * @throws AppError naming the file when there is no sample or the first cannot be read or is not for the model.
 */
export async function openSamples(
  source: SampleSource,
  model: ModelFacts,
  settings: CalibrationSettings = {},
  limit = Infinity,
): Promise<Samples> {
  const carried = carriedInputs(model.inputs, model.outputs);
  const listing = listSource(source);
  if (listing.isChosen) checkChosen(listing);
  const groups = arrayGroups(listing, model.inputs, carried.size > 0);
  const pictures = filesOf(listing, PICTURE_EXTENSIONS);
  const picture =
    pictures.length === 0 ? null : pictureInput(pictures[0]!, model, settings.images ?? {});
  if (picture !== null) append(groups, pictureGroups(pictures, picture));
  const sounds = filesOf(listing, SOUND_EXTENSIONS);
  const sound = sounds.length === 0 ? null : soundInput(sounds[0]!, model);
  if (sound !== null) append(groups, soundGroups(sounds, sound));
  if (groups.length === 0) throw noSamples(listing);
  return FileSamples.open({ groups: firstOf(groups, limit), model, picture, sound }, carried);
}

/** The first groups that have so many steps together. */
function firstOf(groups: readonly SampleGroup[], limit: number): readonly SampleGroup[] {
  let steps = 0;
  return groups.filter((group) => {
    const isTaken = steps < limit;
    steps += group.steps;
    return isTaken;
  });
}

function checkChosen({ files }: Listing): void {
  const other = files.find((file) => !EXTENSIONS.includes(extensionOf(file)));
  if (other !== undefined)
    throw new AppError('BAD_USAGE', 'is not a sample', {
      file: other,
      field: 'samples',
      found: extensionOf(other) === '' ? 'no extension' : extensionOf(other),
      expected: EXTENSIONS.join(', '),
    });
}

function noSamples({ place, files, folders }: Listing): AppError {
  return new AppError('BAD_USAGE', 'contains no samples', {
    file: place,
    field: 'samples',
    found: `${files.length + folders.length} entries`,
    expected:
      '.npz files, .npy or input_N.pb files, PNG, JPEG, WebP or BMP pictures, or .wav files',
  });
}

/** Files that hold the model's data and none of its masks, lengths and rates. */
const DATA_ONLY: ReadonlySet<SourceKind> = new Set(['image', 'audio']);

type Found = Pick<Described, 'groups' | 'model' | 'picture' | 'sound'>;

class FileSamples implements Samples {
  readonly count: number;
  readonly sequence: boolean;
  readonly carried: ReadonlyMap<string, string>;
  private readonly found: Found;
  /** The index of each group's first step. */
  private readonly starts: readonly number[];
  private description: SamplesDescription | null = null;

  private constructor(found: Found, carried: ReadonlyMap<string, string>) {
    this.found = found;
    this.carried = carried;
    let count = 0;
    this.starts = found.groups.map(({ steps }) => (count += steps) - steps);
    this.count = count;
    this.sequence = carried.size > 0 && found.groups.some(({ steps }) => steps > 1);
  }

  /** Reads the first sample, to check and to describe it. */
  static async open(found: Found, carried: ReadonlyMap<string, string>): Promise<FileSamples> {
    const samples = new FileSamples(found, carried);
    const { group, step } = samples.place(0);
    const given = await group.read(step);
    const { count, sequence } = samples;
    samples.description = describeSamples({
      ...found,
      first: samples.fit(group, given),
      given: new Set(Object.keys(given)),
      states: stateInputs(found.model),
      count,
      sequence,
    });
    return samples;
  }

  describe(): SamplesDescription {
    return this.description!;
  }

  async preview(index: number): Promise<Preview | null> {
    const { kind, files } = this.place(index).group;
    if (kind === 'image') return pictureThumbnail(files[0]!);
    return kind === 'audio' ? waveformEnvelope(files[0]!) : null;
  }

  nameAt(index: number): string {
    const { group, step } = this.place(index);
    return path.basename(group.steps > 1 ? (group.files[step] ?? group.place) : group.place);
  }

  startsSequence(index: number): boolean {
    return !this.sequence || this.place(index).step === 0;
  }

  async at(index: number): Promise<Feeds> {
    const { group, step } = this.place(index);
    return this.fit(group, await group.read(step));
  }

  private fit(group: SampleGroup, sample: Feeds): Feeds {
    return fitSample(group.place, sample, this.found.model, DATA_ONLY.has(group.kind));
  }

  private place(index: number): { readonly group: SampleGroup; readonly step: number } {
    if (!Number.isInteger(index) || index < 0 || index >= this.count)
      throw new RangeError(`sample ${index} of ${this.count}`);
    let [low, high] = [0, this.starts.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.starts[middle]! <= index) low = middle;
      else high = middle;
    }
    return { group: this.found.groups[low]!, step: index - this.starts[low]! };
  }
}
