/** A command of the menu bar, which the keyboard and the command palette give as well. */
export interface CommandFacts {
  readonly name: string;
  /** In the menu and in the palette. */
  readonly title: string;
  /** The heading under which the sheet of shortcuts lists it. */
  readonly group: 'File' | 'Edit' | 'View' | 'Model' | 'Help';
  /** The menu's accelerator, as Electron writes it. */
  readonly shortcut?: string;
  /** A character that does the same outside of text fields. */
  readonly character?: string;
  /** Whether it does nothing without a model. */
  readonly needsModel: boolean;
}

/** Every command that the page carries out, in the order of the sheet and of the palette. */
export const COMMANDS = [
  { name: 'open', title: 'Open…', group: 'File', shortcut: 'CmdOrCtrl+O', needsModel: false },
  {
    name: 'open-folder',
    title: 'Open Folder…',
    group: 'File',
    shortcut: 'CmdOrCtrl+Shift+O',
    needsModel: false,
  },
  { name: 'export', title: 'Export…', group: 'File', shortcut: 'CmdOrCtrl+E', needsModel: true },
  { name: 'open-recipe', title: 'Open Recipe…', group: 'File', needsModel: false },
  { name: 'save-recipe', title: 'Save Recipe A…', group: 'File', needsModel: true },
  { name: 'close', title: 'Close File', group: 'File', shortcut: 'CmdOrCtrl+W', needsModel: true },
  {
    name: 'settings',
    title: 'Settings…',
    group: 'File',
    shortcut: 'CmdOrCtrl+,',
    needsModel: false,
  },
  { name: 'undo', title: 'Undo', group: 'Edit', shortcut: 'CmdOrCtrl+Z', needsModel: false },
  { name: 'redo', title: 'Redo', group: 'Edit', shortcut: 'CmdOrCtrl+Shift+Z', needsModel: false },
  { name: 'find', title: 'Find', group: 'Edit', shortcut: 'CmdOrCtrl+F', needsModel: true },
  {
    name: 'compare',
    title: 'Compare A with B',
    group: 'View',
    shortcut: 'CmdOrCtrl+B',
    needsModel: true,
  },
  { name: 'calibrate', title: 'Calibrate…', group: 'Model', needsModel: true },
  {
    name: 'properties',
    title: 'Properties…',
    group: 'Model',
    shortcut: 'CmdOrCtrl+I',
    needsModel: true,
  },
  {
    name: 'palette',
    title: 'All Commands…',
    group: 'Help',
    shortcut: 'CmdOrCtrl+K',
    needsModel: false,
  },
  {
    name: 'shortcuts',
    title: 'Keyboard Shortcuts',
    group: 'Help',
    shortcut: 'F1',
    character: '?',
    needsModel: false,
  },
  { name: 'diagnostics', title: 'Copy Diagnostics', group: 'Help', needsModel: false },
  { name: 'about', title: 'About Quantscope', group: 'Help', needsModel: false },
] as const satisfies readonly CommandFacts[];

export type MenuCommand = (typeof COMMANDS)[number]['name'];

/** What the table says of a command. */
export function commandFacts(name: MenuCommand): CommandFacts {
  return COMMANDS.find((command) => command.name === name)!;
}
