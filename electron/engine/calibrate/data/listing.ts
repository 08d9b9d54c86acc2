import * as fs from 'node:fs';
import * as path from 'node:path';
import { list } from './sample-file.ts';

/** Where samples come from: a folder, or a list of files and folders. */
export type SampleSource = string | readonly string[];

/** What a folder of samples, or a list of files, has in it. */
export interface Listing {
  /** The folder, or the first of the files: for messages. */
  readonly place: string;
  /** Whether the files were chosen one by one, so that each must be a sample. */
  readonly isChosen: boolean;
  readonly files: readonly string[];
  /** Folders in it, with the paths of their entries. */
  readonly folders: readonly { readonly place: string; readonly files: readonly string[] }[];
}

/** Lists a source; reads no file. @throws AppError when the folder cannot be read. */
export function listSource(source: SampleSource): Listing {
  const isChosen = typeof source !== 'string';
  const entries = isChosen ? source : within(source);
  const files: string[] = [];
  const folders: { place: string; files: string[] }[] = [];
  for (const entry of entries)
    if (fs.statSync(entry, { throwIfNoEntry: false })?.isDirectory() === true)
      folders.push({ place: entry, files: within(entry) });
    else files.push(entry);
  return { place: isChosen ? (source[0] ?? '') : source, isChosen, files, folders };
}

function within(folder: string): string[] {
  // macOS keeps attributes of x.png in a ._x.png.
  return list(folder)
    .filter((name) => !name.startsWith('._'))
    .map((name) => path.join(folder, name));
}

/** A file's extension in lower case, with its dot. */
export function extensionOf(file: string): string {
  return path.extname(file).toLowerCase();
}

/** The files of a listing and of its folders that have one of these extensions. */
export function filesOf(
  { files, folders }: Listing,
  extensions: readonly string[],
): readonly string[] {
  return [files, ...folders.map((folder) => folder.files)]
    .flat()
    .filter((file) => extensions.includes(extensionOf(file)));
}
