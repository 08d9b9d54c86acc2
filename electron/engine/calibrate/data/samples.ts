import type { CalibrationSettings } from '../../../../shared/calibration-settings.ts';
import { AppError } from '../../../../shared/errors.ts';
import { append } from '../../../../shared/lists.ts';
import type { ModelFacts } from '../../runtime/inputs.ts';
import { carriedInputs } from '../../runtime/states.ts';
import { arrayGroups } from './array-groups.ts';
import { SOUND_EXTENSIONS, soundGroups, soundInput } from './audio/sound-groups.ts';
import { fitSample } from './fit-sample.ts';
import { extensionOf, filesOf, listSource, type Listing, type SampleSource } from './listing.ts';
import { PICTURE_EXTENSIONS, pictureGroups } from './images/picture-groups.ts';
import { pictureInput } from './images/picture-input.ts';
import type { Feeds, SampleGroup, SourceKind } from './sample-group.ts';

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
  /** The inputs of a run. @throws AppError naming the file that cannot be read or is not for the model. */
  at(index: number): Promise<Feeds>;
}

const EXTENSIONS = ['.npz', '.npy', '.pb', ...PICTURE_EXTENSIONS, ...SOUND_EXTENSIONS];

/**
 * Opens the samples of a folder or of a list of files: arrays (see arrayGroups), pictures
 * and .wav files, also in subfolders. Reads the first one to check it.
 * @param settings how pictures become an input; what is left out is guessed from the input
 * @throws AppError naming the file when there is no sample or the first cannot be read or is not for the model.
 */
export async function openSamples(
  source: SampleSource,
  model: ModelFacts,
  settings: CalibrationSettings = {},
): Promise<Samples> {
  const carried = carriedInputs(model.inputs, model.outputs);
  const listing = listSource(source);
  if (listing.isChosen) checkChosen(listing);
  const groups = arrayGroups(listing, model.inputs, carried.size > 0);
  const pictures = filesOf(listing, PICTURE_EXTENSIONS);
  if (pictures.length > 0)
    append(
      groups,
      pictureGroups(pictures, pictureInput(pictures[0]!, model, settings.images ?? {})),
    );
  const sounds = filesOf(listing, SOUND_EXTENSIONS);
  if (sounds.length > 0) append(groups, soundGroups(sounds, soundInput(sounds[0]!, model)));
  if (groups.length === 0) throw noSamples(listing);
  const samples = new FileSamples(groups, model, carried);
  await samples.at(0);
  return samples;
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

class FileSamples implements Samples {
  readonly count: number;
  readonly sequence: boolean;
  readonly carried: ReadonlyMap<string, string>;
  private readonly groups: readonly SampleGroup[];
  private readonly model: ModelFacts;
  /** The index of each group's first step. */
  private readonly starts: readonly number[];

  constructor(
    groups: readonly SampleGroup[],
    model: ModelFacts,
    carried: ReadonlyMap<string, string>,
  ) {
    this.groups = groups;
    this.model = model;
    this.carried = carried;
    let count = 0;
    this.starts = groups.map(({ steps }) => (count += steps) - steps);
    this.count = count;
    this.sequence = carried.size > 0 && groups.some(({ steps }) => steps > 1);
  }

  startsSequence(index: number): boolean {
    return !this.sequence || this.place(index).step === 0;
  }

  async at(index: number): Promise<Feeds> {
    const { group, step } = this.place(index);
    const sample = await group.read(step);
    return fitSample(group.place, sample, this.model, DATA_ONLY.has(group.kind));
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
    return { group: this.groups[low]!, step: index - this.starts[low]! };
  }
}
