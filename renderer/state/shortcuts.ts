import { COMMANDS, type CommandFacts, type MenuCommand } from '../../shared/commands.ts';
import { VIEWS, type View } from '../../shared/views.ts';

/** What a person can ask for by its name: a command of the menu, or a view. */
export type Choice =
  | { readonly kind: 'command'; readonly name: MenuCommand }
  | { readonly kind: 'view'; readonly name: View };

/** Commands that open a dialog of the app, by its name. */
export type AppDialog = Extract<
  MenuCommand,
  'about' | 'palette' | 'properties' | 'settings' | 'shortcuts'
>;

export interface ChoiceFacts {
  readonly choice: Choice;
  readonly title: string;
  readonly group: CommandFacts['group'];
  /** As Electron writes it. */
  readonly shortcut: string | undefined;
  readonly character: string | undefined;
  readonly needsModel: boolean;
}

/** All commands and views, from their two tables. */
export const CHOICES: readonly ChoiceFacts[] = [
  ...VIEWS.map(({ name, title, shortcut, needsModel }): ChoiceFacts => ({
    choice: { kind: 'view', name },
    title: `Show ${title}`,
    group: 'View',
    shortcut,
    character: undefined,
    needsModel,
  })),
  ...COMMANDS.map(({ name, title, group, needsModel, ...keys }: CommandFacts): ChoiceFacts => ({
    choice: { kind: 'command', name: name as MenuCommand },
    title,
    group,
    shortcut: keys.shortcut,
    character: keys.character,
    needsModel,
  })),
];

interface KeyFacts {
  readonly title: string;
  readonly keys: readonly string[];
}

/** Keys of what has the focus, by where they work. They are no commands: the same key does another thing elsewhere. */
export const LOCAL_KEYS: readonly { readonly group: string; readonly keys: readonly KeyFacts[] }[] =
  [
    {
      group: 'Layers table',
      keys: [
        { title: 'Filter the layers', keys: ['/'] },
        { title: 'Previous or next layer', keys: ['↑', '↓'] },
        { title: 'First or last layer', keys: ['Home', 'End'] },
        { title: 'Extend the selection', keys: ['Shift+↑', 'Shift+↓'] },
        { title: 'Select or deselect the layer', keys: ['Space'] },
        { title: 'Go to a layer by its first letters', keys: ['A … Z'] },
      ],
    },
    {
      group: 'Charts and dialogs',
      keys: [
        { title: 'Move a clip limit', keys: ['←', '→'] },
        { title: 'Copy a chart as SVG or PNG', keys: ['Shift+F10'] },
        { title: 'Close a dialog or a menu', keys: ['Esc'] },
      ],
    },
  ];

/** A shortcut as people write it on their system: `Ctrl+Shift+O`, or `⇧⌘O` on macOS. */
export function shownShortcut(shortcut: string, isMac: boolean): string {
  if (!isMac) return shortcut.replace('CmdOrCtrl', 'Ctrl');
  const keys = shortcut.split('+');
  const signs = [keys.includes('Shift') ? '⇧' : '', keys.includes('CmdOrCtrl') ? '⌘' : ''];
  return `${signs.join('')}${keys.at(-1)!}`;
}

/** What a choice is given by, as people write it. */
export function shownKeys({ shortcut, character }: ChoiceFacts, isMac: boolean): readonly string[] {
  return [
    ...(shortcut === undefined ? [] : [shownShortcut(shortcut, isMac)]),
    ...(character === undefined ? [] : [character]),
  ];
}

type Key = Pick<KeyboardEvent, 'key' | 'ctrlKey' | 'metaKey' | 'shiftKey' | 'altKey'>;

/** What a key asks for; null where no command or view has it. */
export function choiceOfKey(event: Key, isMac: boolean, isText: boolean): Choice | null {
  const found = CHOICES.find(
    ({ shortcut, character }) =>
      (shortcut !== undefined && isShortcut(event, shortcut, isMac)) ||
      (character !== undefined && !isText && isCharacter(event, character)),
  );
  return found?.choice ?? null;
}

function isShortcut(event: Key, shortcut: string, isMac: boolean): boolean {
  const keys = shortcut.split('+');
  const wantsCommand = keys.includes('CmdOrCtrl');
  const [command, other] = isMac ? [event.metaKey, event.ctrlKey] : [event.ctrlKey, event.metaKey];
  return (
    command === wantsCommand &&
    !other &&
    !event.altKey &&
    event.shiftKey === keys.includes('Shift') &&
    event.key.toLowerCase() === keys.at(-1)!.toLowerCase()
  );
}

/** Whatever Shift and AltGr the keyboard needs for it. */
function isCharacter({ key, ctrlKey, metaKey, altKey }: Key, character: string): boolean {
  return key === character && !metaKey && ctrlKey === altKey;
}
