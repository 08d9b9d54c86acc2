import { app, Menu, shell, type MenuItemConstructorOptions } from 'electron';
import { commandFacts, type MenuCommand } from '../../shared/commands.ts';
import type { Theme } from '../../shared/ipc.ts';
import { VIEWS } from '../../shared/views.ts';
import { EXTERNAL_ADDRESSES } from './security.ts';
import type { Handles } from './handles.ts';
import type { RecentFiles } from './recent-files.ts';
import type { SettingsStore } from './settings.ts';
import type { MainWindow } from './window.ts';

interface Parts {
  readonly window: MainWindow;
  readonly settings: SettingsStore;
  readonly recent: RecentFiles;
  readonly handles: Handles;
}

/** The menu bar, built anew when the recent files change and when a model comes or goes. */
export class AppMenu {
  private readonly parts: Parts;
  private isModelOpen = false;

  constructor(parts: Parts) {
    this.parts = parts;
    const { settings, recent } = parts;
    this.build();
    recent.onChange(() => this.build());
    settings.onChange(({ theme: chosen }) => {
      const item = Menu.getApplicationMenu()?.getMenuItemById(`theme-${chosen}`);
      if (item !== undefined && item !== null) item.checked = true;
    });
  }

  setModelOpen(isOpen: boolean): void {
    if (isOpen === this.isModelOpen) return;
    this.isModelOpen = isOpen;
    this.build();
  }

  private build(): void {
    Menu.setApplicationMenu(buildMenu(this.parts, this.isModelOpen));
  }
}

/** Files opened lately with their folders; those that moved are marked and cannot be chosen. */
function recentItems({ window, recent, handles }: Parts): MenuItemConstructorOptions[] {
  const items = recent.list().map(({ id, name, folder, exists }): MenuItemConstructorOptions => ({
    // An ampersand would mark the next letter as a shortcut.
    label: `${name} (${exists ? folder : `moved or deleted from ${folder}`})`.replaceAll('&', '&&'),
    enabled: exists,
    click: () => {
      const file = recent.path(id);
      if (file !== undefined) window.send({ type: 'open-file', file: handles.grant(file, 'read') });
    },
  }));
  return items.length > 0 ? items : [{ label: 'No recent files', enabled: false }];
}

/** The standard menus of each platform; what the page does is sent to it as a command. */
function buildMenu(parts: Parts, isModelOpen: boolean): Menu {
  const { window, settings } = parts;
  const command = (name: MenuCommand): MenuItemConstructorOptions => {
    const { title, shortcut, needsModel } = commandFacts(name);
    return {
      id: name,
      label: title,
      enabled: isModelOpen || !needsModel,
      ...(shortcut === undefined ? {} : { accelerator: shortcut }),
      click: () => window.send({ type: 'command', command: name }),
    };
  };
  const theme = (label: string, value: Theme): MenuItemConstructorOptions => ({
    id: `theme-${value}`,
    label,
    type: 'radio',
    checked: settings.get().theme === value,
    click: () => settings.set({ theme: value }),
  });
  const isMac = process.platform === 'darwin';
  return Menu.buildFromTemplate([
    ...(isMac ? [appleMenu(command('about'), command('settings'))] : []),
    {
      label: '&File',
      submenu: [
        command('open'),
        command('open-folder'),
        { id: 'open-recent', label: 'Open Recent', submenu: recentItems(parts) },
        command('export'),
        command('open-recipe'),
        command('save-recipe'),
        command('close'),
        ...(isMac ? [] : [{ type: 'separator' } as const, command('settings')]),
        { type: 'separator' },
        // Its usual Cmd+W closes the file.
        isMac ? { role: 'close', accelerator: 'Shift+Cmd+W' } : { role: 'quit' },
      ],
    },
    {
      label: '&Edit',
      submenu: [
        command('undo'),
        command('redo'),
        { type: 'separator' },
        { role: 'cut' },
        { role: 'copy' },
        { role: 'paste' },
        { role: 'selectAll' },
        { type: 'separator' },
        command('find'),
      ],
    },
    {
      label: '&View',
      submenu: [
        ...VIEWS.map(({ name, title, shortcut, needsModel }) => ({
          id: `view-${name}`,
          label: title,
          enabled: isModelOpen || !needsModel,
          accelerator: shortcut,
          click: () => window.send({ type: 'show', view: name }),
        })),
        command('compare'),
        { type: 'separator' },
        {
          label: 'Theme',
          submenu: [theme('System', 'system'), theme('Light', 'light'), theme('Dark', 'dark')],
        },
        { type: 'separator' },
        { role: 'resetZoom' },
        { role: 'zoomIn' },
        { role: 'zoomOut' },
        { role: 'togglefullscreen' },
        ...(app.isPackaged ? [] : [{ role: 'toggleDevTools' } as const]),
      ],
    },
    { label: '&Model', submenu: [command('properties'), command('calibrate')] },
    { role: 'windowMenu' },
    {
      role: 'help',
      submenu: [
        command('palette'),
        command('shortcuts'),
        command('diagnostics'),
        { type: 'separator' },
        ...[...EXTERNAL_ADDRESSES].map(([label, address]) => ({
          label,
          click: () => void shell.openExternal(address),
        })),
        ...(isMac ? [] : [{ type: 'separator' } as const, command('about')]),
      ],
    },
  ]);
}

/** The menu of the app's own name that macOS has; the system's has an About window of its own. */
function appleMenu(...own: readonly MenuItemConstructorOptions[]): MenuItemConstructorOptions {
  return {
    label: app.name,
    submenu: [
      ...own,
      { type: 'separator' },
      { role: 'services' },
      { type: 'separator' },
      { role: 'hide' },
      { role: 'hideOthers' },
      { role: 'unhide' },
      { type: 'separator' },
      { role: 'quit' },
    ],
  };
}
