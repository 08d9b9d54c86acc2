/** What the menu, the tabs and the workbench know of a view. The page's part of it is in renderer/views/pages.ts. */
export interface ViewFacts {
  readonly name: string;
  /** On its tab and in the menu. */
  readonly title: string;
  /** The menu's accelerator, as Electron writes it. */
  readonly shortcut: string;
  readonly needsModel: boolean;
  /** Whether it compares A with B: showing it turns B on, and turning B off leaves it. */
  readonly needsCompare: boolean;
}

/** The views in the order of the tabs and of the menu. The first one is shown when a model opens. */
export const VIEWS = [
  {
    name: 'layers',
    title: 'Layers',
    shortcut: 'CmdOrCtrl+1',
    // Without a model it is the window that asks for one.
    needsModel: false,
    needsCompare: false,
  },
  {
    name: 'compare',
    title: 'Compare',
    shortcut: 'CmdOrCtrl+2',
    needsModel: true,
    needsCompare: true,
  },
  {
    name: 'budget',
    title: 'Budget',
    shortcut: 'CmdOrCtrl+3',
    needsModel: true,
    needsCompare: false,
  },
  { name: 'run', title: 'Run', shortcut: 'CmdOrCtrl+4', needsModel: true, needsCompare: false },
  {
    name: 'formats',
    title: 'Formats',
    shortcut: 'CmdOrCtrl+5',
    needsModel: false,
    needsCompare: false,
  },
] as const satisfies readonly ViewFacts[];

export type View = (typeof VIEWS)[number]['name'];
