import * as path from 'node:path';
import { append } from '../../../../shared/lists.ts';
import type { InputFacts } from '../../runtime/dimensions.ts';
import type { ArrayValue } from '../../runtime/inputs.ts';
import type { Listing } from './listing.ts';
import { extensionOf } from './listing.ts';
import { parseNpy } from './npy.ts';
import { readNpz } from './npz.ts';
import type { Feeds, SampleGroup } from './sample-group.ts';
import { mostBytes, readWhole } from './sample-file.ts';
import { readTensorProto } from './tensor-proto.ts';

/**
 * Samples from files of arrays. Each .npz is a sample with arrays by input name; each subfolder is one,
 * of .npy files by input name or of input_0.pb, input_1.pb ... in the order of the inputs (as in ONNX's
 * own test data); .npy and .pb files in the folder itself make one sample. For a model with one input
 * each .npy is a sample, unless one has the input's name. A subfolder of .npz files is a sequence of
 * steps for a model with state, and samples for any other.
 */
export function arrayGroups(
  { place, files, folders, isChosen }: Listing,
  inputs: readonly InputFacts[],
  hasState: boolean,
): SampleGroup[] {
  const groups = npzFiles(files).map((file) => npzGroup([file], file, inputs));
  for (const folder of folders) {
    append(groups, looseGroups(folder.place, folder.files, inputs, false));
    const archives = npzFiles(folder.files);
    if (hasState && archives.length > 0) groups.push(npzGroup(archives, folder.place, inputs));
    else
      append(
        groups,
        archives.map((file) => npzGroup([file], file, inputs)),
      );
  }
  groups.sort((a, b) => (a.place < b.place ? -1 : 1));
  return [...groups, ...looseGroups(place, files, inputs, isChosen)];
}

function npzFiles(files: readonly string[]): readonly string[] {
  return files.filter((file) => extensionOf(file) === '.npz');
}

function npzGroup(
  files: readonly string[],
  place: string,
  inputs: readonly InputFacts[],
): SampleGroup {
  const read = (step: number): Feeds => readNpz(files[step]!, inputs);
  return { kind: 'npz', files, place, steps: files.length, read };
}

/** The .npy and .pb files of one folder: one sample, or one each for a model with one input. */
function looseGroups(
  place: string,
  files: readonly string[],
  inputs: readonly InputFacts[],
  isChosen: boolean,
): SampleGroup[] {
  const arrays = files.filter((file) => isArray(file, isChosen));
  if (arrays.length === 0) return [];
  const group = (own: readonly string[], of: string): SampleGroup => ({
    kind: own.some((file) => extensionOf(file) === '.pb') ? 'pb' : 'npy',
    files: own,
    place: of,
    steps: 1,
    read: () => readFiles(own, inputs),
  });
  const [only, ...others] = inputs;
  const isOneEach =
    only !== undefined &&
    others.length === 0 &&
    (isChosen || arrays.every((file) => extensionOf(file) === '.npy')) &&
    !arrays.some((file) => path.basename(file, path.extname(file)) === only.name);
  return isOneEach ? arrays.map((file) => group([file], file)) : [group(arrays, place)];
}

function isArray(file: string, isChosen: boolean): boolean {
  const extension = extensionOf(file);
  // ONNX's test data has the outputs beside the inputs, as output_0.pb.
  return extension === '.npy' || (extension === '.pb' && (isChosen || numberOf(file) !== null));
}

function numberOf(file: string): number | null {
  const found = /^input_(\d+)\.pb$/.exec(path.basename(file));
  return found === null ? null : Number(found[1]);
}

function readFiles(files: readonly string[], inputs: readonly InputFacts[]): Feeds {
  const most = mostBytes(inputs);
  const names = inputs.map(({ name }) => name);
  const sample = new Map<string, ArrayValue>();
  for (const file of files) {
    if (extensionOf(file) !== '.pb') {
      sample.set(path.basename(file, path.extname(file)), parseNpy(readWhole(file, most), file));
      continue;
    }
    const tensor = readTensorProto(file, most);
    const input = names.includes(tensor.name) ? tensor.name : names[numberOf(file) ?? 0];
    if (input !== undefined) sample.set(input, tensor.value);
  }
  return Object.fromEntries(sample);
}
