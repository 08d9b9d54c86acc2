import type { MenuCommand } from './commands.ts';
import type { ErrorData } from './errors.ts';
import type { NumberStyle } from './number-styles.ts';
import type { Handle, ShownAs } from './protocol.ts';
import type { View } from './views.ts';

/** Errors cross IPC as data: ipcMain.handle keeps nothing of an Error but its message. */
export type Result<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: ErrorData };

/** A file the person chose. `label` is for display only. */
export interface ChosenFile {
  readonly handle: Handle;
  readonly label: string;
  /** The folder that it is in; for display only, as the label is. */
  readonly folder: string;
}

export interface RecentFile {
  readonly id: string;
  readonly name: string;
  /** The folder that it is in, for display. */
  readonly folder: string;
  readonly bytes: number;
  /** ISO 8601 time of the last opening. */
  readonly opened: string;
  readonly exists: boolean;
  /** One line such as "ONNX opset 11 · 614 228 parameters", as reported by the page when it opened. */
  readonly facts: string;
}

/** A recipe file that was read; its text is not checked yet. */
export interface RecipeFile {
  readonly name: string;
  readonly text: string;
}

/** A choice that main remembers; `file` names what the handle `names` is of. */
export interface RememberedAnswer extends ShownAs {
  readonly file: ChosenFile | null;
}

export type Theme = 'system' | 'light' | 'dark';

/** What is kept between runs besides the recent files and the window's place. */
export interface Settings {
  readonly theme: Theme;
  /** Recipes A and B as JSON, checked again by the page. */
  readonly recipeA: unknown;
  readonly recipeB: unknown;
  /** Which of their rules came in files, and the model of the others; checked by the page. */
  readonly rules: unknown;
  readonly compare: boolean;
  /** The language of numbers in the window. */
  readonly numbers: NumberStyle;
  /** The preset that recipe A is at the start of the app; null for the last recipe. */
  readonly preset: string | null;
  /** Worker threads of the engine; null for one per core. */
  readonly workers: number | null;
  /** Bytes that running a model may take; null for three quarters of the computer's memory. */
  readonly memory: number | null;
  /** Hints that were dismissed for good. */
  readonly hints: readonly Hint[];
}

/** What a first run is told, each until it is dismissed. */
export const HINTS = ['layers', 'budget', 'run'] as const;
export type Hint = (typeof HINTS)[number];

/** The least memory limit: a runtime alone takes a good part of it. */
export const LEAST_MEMORY = 512e6;

/** Memory limits to choose from below that of the computer, the chosen one among them. */
export function memoryChoices(total: number, chosen: number | null): readonly number[] {
  const choices = new Set([1e9, 2e9, 4e9, 8e9, 16e9, 32e9, 64e9, 128e9].filter((n) => n < total));
  if (chosen !== null) choices.add(chosen);
  return [...choices].sort((a, b) => a - b);
}

/** More threads than any computer that runs this has cores. */
export const MOST_WORKERS = 256;

/** Numbers of worker threads to choose from, the chosen one among them. */
export function workerChoices(cores: number, chosen: number | null): readonly number[] {
  const choices = new Set([1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64].filter((n) => n <= cores));
  if (chosen !== null) choices.add(chosen);
  return [...choices].sort((a, b) => a - b);
}

export interface AppInfo {
  readonly version: string;
  readonly platform: string;
  readonly electron: string;
  /** The version of onnxruntime that comes with the app. */
  readonly runtime: string;
  /** The version of LiteRT's WebAssembly build. */
  readonly litert: string;
  /** Logical cores of this computer. */
  readonly cores: number;
  /** Bytes of memory of this computer. */
  readonly memory: number;
  /** The locale that this computer writes numbers in, as "de-DE". */
  readonly numberLocale: string;
  /** null when this build has no sample to open. */
  readonly sample: { readonly name: string; readonly bytes: number } | null;
}

/** Every channel from page to main: its arguments and its answer. */
export interface Channels {
  info: { args: []; value: AppInfo };
  openDialog: { args: [kind: 'file' | 'folder']; value: ChosenFile | null };
  openSample: { args: []; value: ChosenFile };
  openRecent: { args: [id: string]; value: ChosenFile };
  /** From the preload only, with the path of a dropped File. */
  openDropped: { args: [path: string]; value: ChosenFile };
  /** The file given on the command line, once. */
  takeInitialFile: { args: []; value: ChosenFile | null };
  listRecent: { args: []; value: readonly RecentFile[] };
  forgetRecent: { args: [id: string]; value: null };
  describeRecent: { args: [handle: Handle, facts: string, bytes: number]; value: null };
  /** Ask for a folder of samples to run models on. */
  inputsDialog: { args: []; value: ChosenFile | null };
  /** Ask for a file of ranges of activations. */
  rangesDialog: { args: []; value: ChosenFile | null };
  /** Ask for a labels file, a dictionary or a tokenizer. */
  namesDialog: { args: []; value: ChosenFile | null };
  /** What the outputs of a model were shown as when it was open before. */
  getShown: { args: [model: Handle]; value: readonly RememberedAnswer[] };
  setShown: { args: [model: Handle, shown: readonly ShownAs[]]; value: null };
  openRecipe: { args: []; value: RecipeFile | null };
  /** Ask where to save a recipe; gives the file's name. */
  saveRecipe: { args: [recipe: unknown]; value: string | null };
  /** Ask where to write, beside a file that is open. */
  saveDialog: {
    args: [source: Handle, suggestedName: string, what: 'model' | 'ranges'];
    value: ChosenFile | null;
  };
  /** Puts a PNG on the clipboard: the page may not itself. */
  copyImage: { args: [png: Uint8Array]; value: null };
  showInFolder: { args: [handle: Handle]; value: null };
  getSettings: { args: []; value: Settings };
  setSettings: { args: [settings: Partial<Settings>]; value: null };
  /** Ask for a port to the engine; it arrives as a window message `engine-port`. */
  connectEngine: { args: []; value: null };
  /** What helps to find a fault, as text without paths or contents of models. */
  diagnostics: { args: []; value: string };
  /** How far a long job is, 0 to 1, for the taskbar; null while there is none. */
  setProgress: { args: [fraction: number | null]; value: null };
  /** Tell of the end of a long export, where the window is in the background. */
  exportEnded: { args: [isDone: boolean, label: string]; value: null };
  /** Whether a model is open: menu commands that need one are disabled without. */
  setModelOpen: { args: [isOpen: boolean]; value: null };
}

export type Channel = keyof Channels;

/** Main to page. */
export type MainEvent =
  | { readonly type: 'open-file'; readonly file: ChosenFile }
  /** A recipe file that the system handed the app. */
  | { readonly type: 'open-recipe'; readonly recipe: Result<RecipeFile> }
  /** The engine ended. Where it is restarted, the page can ask for a port at once. */
  | { readonly type: 'engine-lost'; readonly error: ErrorData; readonly isRestarted: boolean }
  | { readonly type: 'show'; readonly view: View }
  | { readonly type: 'command'; readonly command: MenuCommand };

/** Where the page comes from; no other page is spoken to. */
export const APP_ORIGIN = 'app://quantscope';

/** The message by which the preload hands the engine's port to the page. */
export const ENGINE_PORT_MESSAGE = 'quantscope:engine-port';

/** What the page finds at window.quantscope. A test holds a snapshot of these keys. */
export type PageApi = {
  readonly [K in Exclude<Channel, 'openDropped'>]: (
    ...args: Channels[K]['args']
  ) => Promise<Result<Channels[K]['value']>>;
} & {
  readonly openDropped: (file: unknown) => Promise<Result<ChosenFile>>;
  readonly onEvent: (listener: (event: MainEvent) => void) => () => void;
};
