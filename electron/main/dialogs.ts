import * as path from 'node:path';
import { app, dialog, type BrowserWindow } from 'electron';

const MODEL_FILTERS = [
  { name: 'Models', extensions: ['onnx'] },
  { name: 'All files', extensions: ['*'] },
];

/** Ask for a model to open. null when the person changed their mind. */
export async function askForModel(window: BrowserWindow): Promise<string | null> {
  const { canceled, filePaths } = await dialog.showOpenDialog(window, {
    title: 'Open a model',
    properties: ['openFile'],
    filters: MODEL_FILTERS,
  });
  return canceled ? null : (filePaths[0] ?? null);
}

/** Ask where to write an export, beside its source at first. */
export async function askForTarget(
  window: BrowserWindow,
  source: string | undefined,
  suggestedName: string,
): Promise<string | null> {
  const folder = source === undefined ? app.getPath('documents') : path.dirname(source);
  const { canceled, filePath } = await dialog.showSaveDialog(window, {
    title: 'Export',
    defaultPath: path.join(folder, path.basename(suggestedName)),
    filters: MODEL_FILTERS,
  });
  return canceled || filePath === undefined || filePath === '' ? null : filePath;
}
