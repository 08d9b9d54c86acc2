import * as path from 'node:path';
import { app, dialog, type BrowserWindow } from 'electron';
import type { FormatFacts } from '../../shared/formats.ts';

function filters(formats: readonly FormatFacts[]): Electron.FileFilter[] {
  const all = { name: 'All files', extensions: ['*'] };
  const models = formats.flatMap(({ extensions }) => [...extensions]);
  return models.length === 0 ? [all] : [{ name: 'Models', extensions: models }, all];
}

/** Ask for a model to open, a file or a folder: no dialog of Windows or Linux offers both. null when the person changed their mind. */
export async function askForModel(
  window: BrowserWindow,
  kind: 'file' | 'folder',
  formats: readonly FormatFacts[],
): Promise<string | null> {
  const { canceled, filePaths } = await dialog.showOpenDialog(window, {
    title: 'Open a model',
    properties: [kind === 'file' ? 'openFile' : 'openDirectory'],
    ...(kind === 'file' ? { filters: filters(formats) } : {}),
  });
  return canceled ? null : (filePaths[0] ?? null);
}

/** Ask for a folder of samples: arrays, pictures or sounds. */
export async function askForInputs(window: BrowserWindow): Promise<string | null> {
  const { canceled, filePaths } = await dialog.showOpenDialog(window, {
    title: 'Choose a folder of samples: .npz, .npy, .pb, pictures or .wav files',
    properties: ['openDirectory'],
  });
  return canceled ? null : (filePaths[0] ?? null);
}

const RANGES: Electron.FileFilter[] = [{ name: 'Ranges', extensions: ['json'] }];

/** Ask for ranges of activations that were saved. */
export async function askForRanges(window: BrowserWindow): Promise<string | null> {
  const { canceled, filePaths } = await dialog.showOpenDialog(window, {
    title: 'Open ranges',
    properties: ['openFile'],
    filters: RANGES,
  });
  return canceled ? null : (filePaths[0] ?? null);
}

/** Ask for the names of classes, the characters of a dictionary, or a tokenizer. */
export async function askForNames(window: BrowserWindow): Promise<string | null> {
  const { canceled, filePaths } = await dialog.showOpenDialog(window, {
    title: 'Choose labels, a dictionary or a tokenizer.json',
    properties: ['openFile'],
    filters: [
      { name: 'Names', extensions: ['txt', 'names', 'json'] },
      { name: 'All files', extensions: ['*'] },
    ],
  });
  return canceled ? null : (filePaths[0] ?? null);
}

/** Ask whether to stop a running export. */
export async function askToStopExport(window: BrowserWindow): Promise<boolean> {
  const { response } = await dialog.showMessageBox(window, {
    type: 'question',
    message: 'An export is still running',
    detail: 'Closing the window stops the export. Existing files do not change.',
    buttons: ['Keep exporting', 'Stop and close'],
    defaultId: 0,
    cancelId: 0,
    noLink: true,
  });
  return response === 1;
}

/** What to ask a place for. */
interface Target {
  /** The file beside which it goes at first; the documents folder where it is not known. */
  readonly source: string | undefined;
  readonly suggestedName: string;
  /** Formats of models; null for ranges of activations. */
  readonly formats: readonly FormatFacts[] | null;
}

/** Ask where to write an export or ranges. */
export async function askForTarget(
  window: BrowserWindow,
  { source, suggestedName, formats }: Target,
): Promise<string | null> {
  const folder = source === undefined ? app.getPath('documents') : path.dirname(source);
  const { canceled, filePath } = await dialog.showSaveDialog(window, {
    title: formats === null ? 'Save the ranges' : 'Export',
    defaultPath: path.join(folder, path.basename(suggestedName)),
    filters: formats === null ? RANGES : filters(formats),
  });
  return canceled || filePath === undefined || filePath === '' ? null : filePath;
}
