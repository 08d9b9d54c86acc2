import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { app, ipcMain, shell, type IpcMainInvokeEvent, type WebFrameMain } from 'electron';
import * as v from 'valibot';
import { AppError, toErrorData } from '../../shared/errors.ts';
import type { AppInfo, Channel, Channels, ChosenFile, Result } from '../../shared/ipc.ts';
import { numberLocale } from '../../shared/number-styles.ts';
import type { RotatingLog } from '../files/rotating-log.ts';
import { copyImage } from '../electron-versions.ts';
import { PAGE_URL } from './app-protocol.ts';
import { diagnostics } from './diagnostics.ts';
import { askForInputs, askForModel, askForNames, askForRanges, askForTarget } from './dialogs.ts';
import type { EngineHost } from './engine-host.ts';
import type { Handles } from './handles.ts';
import type { AppMenu } from './menu.ts';
import type { OpenFiles } from './open-files.ts';
import type { RecentFiles } from './recent-files.ts';
import { isRecipeFile } from '../../shared/recipe-file.ts';
import { openRecipe, recipeEvent, saveRecipe } from './recipe-files.ts';
import { samplePath } from './sample.ts';
import { shownSchema, type ShownAnswers } from './shown-answers.ts';
import {
  hintsSetting,
  memorySetting,
  numbersSetting,
  presetSetting,
  workersSetting,
  type SettingsStore,
} from './settings.ts';
import type { MainWindow } from './window.ts';

/** Put in by the build from onnxruntime-node's package.json. */
declare const __RUNTIME_VERSION__: string;
/** From @litertjs/core's. */
declare const __LITERT_VERSION__: string;

export interface Parts {
  readonly window: MainWindow;
  readonly handles: Handles;
  readonly engine: EngineHost;
  readonly recent: RecentFiles;
  readonly shownAnswers: ShownAnswers;
  readonly settings: SettingsStore;
  readonly openFiles: OpenFiles;
  readonly menu: AppMenu;
  readonly log: RotatingLog;
}

/** Recipes are checked again by whoever uses them; here only their size is bounded. */
const MAX_SETTINGS_BYTES = 8 << 20;

/** A chart of every layer of a large model is some megabytes. */
const MAX_IMAGE_BYTES = 64 << 20;

const id = v.pipe(v.string(), v.maxLength(64));
const PNG_SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const png = v.pipe(
  v.instance(Uint8Array),
  v.check(({ length }) => length <= MAX_IMAGE_BYTES, 'a smaller image'),
  v.check((bytes) => PNG_SIGNATURE.every((byte, at) => bytes[at] === byte), 'a PNG'),
);
const text = (length: number) => v.pipe(v.string(), v.maxLength(length));

/** What each channel takes. An argument more, or of another type, is an error. */
const ARGUMENTS = {
  info: v.strictTuple([]),
  openDialog: v.strictTuple([v.picklist(['file', 'folder'])]),
  openSample: v.strictTuple([]),
  openRecent: v.strictTuple([id]),
  openDropped: v.strictTuple([text(32_768)]),
  takeInitialFile: v.strictTuple([]),
  listRecent: v.strictTuple([]),
  forgetRecent: v.strictTuple([id]),
  describeRecent: v.strictTuple([
    id,
    text(500),
    v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  ]),
  inputsDialog: v.strictTuple([]),
  namesDialog: v.strictTuple([]),
  rangesDialog: v.strictTuple([]),
  getShown: v.strictTuple([id]),
  setShown: v.strictTuple([id, shownSchema]),
  openRecipe: v.strictTuple([]),
  saveRecipe: v.strictTuple([v.unknown()]),
  saveDialog: v.strictTuple([id, text(255), v.picklist(['model', 'ranges'])]),
  copyImage: v.strictTuple([png]),
  showInFolder: v.strictTuple([id]),
  getSettings: v.strictTuple([]),
  setSettings: v.strictTuple([
    v.strictObject({
      theme: v.optional(v.picklist(['system', 'light', 'dark'])),
      recipeA: v.optional(v.unknown()),
      recipeB: v.optional(v.unknown()),
      rules: v.optional(v.unknown()),
      compare: v.optional(v.boolean()),
      numbers: v.optional(numbersSetting),
      preset: v.optional(presetSetting),
      workers: v.optional(workersSetting),
      memory: v.optional(memorySetting),
      hints: v.optional(hintsSetting),
    }),
  ]),
  connectEngine: v.strictTuple([]),
  setModelOpen: v.strictTuple([v.boolean()]),
  diagnostics: v.strictTuple([]),
  setProgress: v.strictTuple([
    v.nullable(v.pipe(v.number(), v.finite(), v.minValue(0), v.maxValue(1))),
  ]),
  exportEnded: v.strictTuple([v.boolean(), text(500)]),
} satisfies Record<Channel, v.GenericSchema<unknown, unknown[]>>;

type Handlers = {
  readonly [C in Channel]: (
    ...args: Channels[C]['args']
  ) => Channels[C]['value'] | Promise<Channels[C]['value']>;
};

/** Register every channel. Senders other than our window's own page are refused, arguments checked. */
export function registerIpc(parts: Parts): void {
  const handlers = handlersOf(parts);
  for (const channel of Object.keys(handlers) as Channel[]) {
    ipcMain.handle(channel, async (event, ...args: unknown[]): Promise<Result<unknown>> => {
      try {
        checkSender(event, parts.window);
        const handler = handlers[channel] as (...args: unknown[]) => unknown;
        return { ok: true, value: await handler(...checkArguments(channel, args)) };
      } catch (error) {
        return { ok: false, error: toErrorData(error) };
      }
    });
  }
  ipcMain.on('listening', (event) => {
    if (isOurPage(event.senderFrame, parts.window)) parts.window.listening();
  });
}

/** Whether a frame is our window's top frame and shows our page. Its address is compared as text: the origin of app: is "null" to Node, as that of about:blank is. */
function isOurPage(frame: WebFrameMain | null, window: MainWindow): boolean {
  return (
    frame !== null && frame === window.current?.webContents.mainFrame && frame.url === PAGE_URL
  );
}

function checkSender(event: IpcMainInvokeEvent, window: MainWindow): void {
  const frame = event.senderFrame;
  if (!isOurPage(frame, window))
    throw new AppError('BAD_USAGE', 'a message from a foreign page', {
      field: 'sender',
      found: frame?.url ?? 'none',
      expected: PAGE_URL,
    });
}

function checkArguments(channel: Channel, args: unknown[]): unknown[] {
  const schema: v.GenericSchema<unknown, unknown[]> = ARGUMENTS[channel];
  const result = v.safeParse(schema, args);
  if (result.success) return result.output;
  const issue = result.issues[0];
  throw new AppError('BAD_USAGE', 'malformed arguments', {
    field: `${channel}.${v.getDotPath(issue) ?? 'arguments'}`,
    found: issue.received,
    expected: issue.expected ?? issue.message,
  });
}

function handlersOf(parts: Parts): Handlers {
  const { window, handles, engine, recent, shownAnswers, settings, openFiles, menu, log } = parts;
  const required = (file: string | null | undefined, what: string): string => {
    if (file !== null && file !== undefined) return file;
    throw new AppError('BAD_USAGE', `cannot find the ${what}; choose the file again`, {
      field: what,
    });
  };
  const read = (file: string): ChosenFile => handles.grant(file, 'read');
  return {
    info,
    openDialog: async (kind) => {
      const file = await askForModel(window.current!, kind, engine.formats);
      return file === null ? null : read(file);
    },
    openSample: () => read(required(samplePath(), 'sample')),
    openRecent: (entry) => read(required(recent.path(entry), 'recent file')),
    openDropped: (file) => read(required(path.isAbsolute(file) ? file : null, 'dropped file')),
    takeInitialFile: () => {
      const file = openFiles.takeInitial();
      if (file === null) return null;
      if (!isRecipeFile(file)) return read(file);
      window.send(recipeEvent(file));
      return null;
    },
    listRecent: () => recent.list(),
    forgetRecent: (entry) => {
      recent.forget(entry);
      return null;
    },
    describeRecent: (handle, facts, bytes) => {
      recent.add(required(handles.path(handle), 'file'), facts, bytes);
      return null;
    },
    inputsDialog: async () => {
      const folder = await askForInputs(window.current!);
      return folder === null ? null : read(folder);
    },
    namesDialog: async () => {
      const file = await askForNames(window.current!);
      return file === null ? null : read(file);
    },
    rangesDialog: async () => {
      const file = await askForRanges(window.current!);
      return file === null ? null : read(file);
    },
    getShown: (handle) => shownAnswers.get(required(handles.path(handle), 'file')),
    setShown: (handle, shown) => {
      shownAnswers.set(required(handles.path(handle), 'file'), shown);
      return null;
    },
    openRecipe: () => openRecipe(window.current!),
    saveRecipe: (recipe) => saveRecipe(window.current!, recipe, () => engine.state.sources),
    saveDialog: async (source, suggestedName, what) => {
      const file = await askForTarget(window.current!, {
        ...{ source: handles.path(source), suggestedName },
        formats: what === 'model' ? engine.formats : null,
      });
      return file === null ? null : handles.grant(file, 'write');
    },
    copyImage: async (image) => {
      await copyImage(image);
      return null;
    },
    showInFolder: (handle) => {
      shell.showItemInFolder(required(handles.path(handle), 'file'));
      return null;
    },
    getSettings: () => settings.get(),
    setSettings: (changes) => {
      if (JSON.stringify(changes).length > MAX_SETTINGS_BYTES)
        throw new AppError('LIMIT', 'settings are too large', { field: 'settings' });
      settings.set(changes);
      return null;
    },
    connectEngine: () => {
      engine.connect();
      return null;
    },
    diagnostics: () => diagnostics(info(), settings.get(), log),
    setProgress: (fraction) => {
      window.showProgress(fraction);
      return null;
    },
    exportEnded: (isDone, label) => {
      log.write(`an export ${isDone ? 'ended' : 'failed or was cancelled'}`);
      window.notify(isDone ? 'Export finished' : 'Export not finished', label);
      return null;
    },
    setModelOpen: (isOpen) => {
      menu.setModelOpen(isOpen);
      return null;
    },
  };
}

function info(): AppInfo {
  const file = samplePath();
  return {
    version: app.getVersion(),
    platform: process.platform,
    electron: process.versions.electron ?? '',
    runtime: __RUNTIME_VERSION__,
    litert: __LITERT_VERSION__,
    cores: os.cpus().length,
    memory: os.totalmem(),
    numberLocale: numberLocale(
      // Elsewhere the system's settings tell, whatever a terminal has in its environment.
      process.platform === 'linux' ? process.env : {},
      app.getSystemLocale(),
    ),
    sample: file === null ? null : { name: path.basename(file), bytes: fs.statSync(file).size },
  };
}
