import { app, Menu, shell, type MenuItemConstructorOptions } from 'electron';
import type { MenuCommand, Theme } from '../../shared/ipc.ts';
import { EXTERNAL_ADDRESSES } from './security.ts';
import type { SettingsStore } from './settings.ts';
import type { MainWindow } from './window.ts';

/** The standard menus of each platform; what the page does is sent to it as a command. */
export function installMenu(window: MainWindow, settings: SettingsStore): void {
  const command = (
    label: string,
    name: MenuCommand,
    accelerator?: string,
  ): MenuItemConstructorOptions => ({
    label,
    ...(accelerator === undefined ? {} : { accelerator }),
    click: () => window.send({ type: 'command', command: name }),
  });
  const theme = (label: string, value: Theme): MenuItemConstructorOptions => ({
    id: `theme-${value}`,
    label,
    type: 'radio',
    checked: settings.get().theme === value,
    click: () => settings.set({ theme: value }),
  });
  const isMac = process.platform === 'darwin';
  const menu = Menu.buildFromTemplate([
    ...(isMac ? [{ role: 'appMenu' } as const] : []),
    {
      label: '&File',
      submenu: [
        command('Open…', 'open', 'CmdOrCtrl+O'),
        command('Open Folder…', 'open-folder', 'CmdOrCtrl+Shift+O'),
        command('Export…', 'export', 'CmdOrCtrl+E'),
        command('Open Recipe…', 'open-recipe'),
        command('Save Recipe A…', 'save-recipe'),
        command('Close File', 'close', 'CmdOrCtrl+W'),
        { type: 'separator' },
        // Its usual Cmd+W closes the file.
        isMac ? { role: 'close', accelerator: 'Shift+Cmd+W' } : { role: 'quit' },
      ],
    },
    {
      label: '&Edit',
      submenu: [
        command('Undo', 'undo', 'CmdOrCtrl+Z'),
        command('Redo', 'redo', 'CmdOrCtrl+Shift+Z'),
        { type: 'separator' },
        { role: 'cut' },
        { role: 'copy' },
        { role: 'paste' },
        { role: 'selectAll' },
        { type: 'separator' },
        command('Find', 'find', 'CmdOrCtrl+F'),
      ],
    },
    {
      label: '&View',
      submenu: [
        command('Layers', 'view-layers', 'CmdOrCtrl+1'),
        command('Compare', 'view-compare', 'CmdOrCtrl+2'),
        command('Budget', 'view-budget', 'CmdOrCtrl+3'),
        command('Run', 'view-run', 'CmdOrCtrl+4'),
        command('Formats', 'view-formats', 'CmdOrCtrl+5'),
        command('Compare A with B', 'compare', 'CmdOrCtrl+B'),
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
    { role: 'windowMenu' },
    {
      role: 'help',
      submenu: [
        ...[...EXTERNAL_ADDRESSES].map(([label, address]) => ({
          label,
          click: () => void shell.openExternal(address),
        })),
        ...(isMac ? [] : [{ type: 'separator' } as const, { role: 'about' } as const]),
      ],
    },
  ]);
  Menu.setApplicationMenu(menu);
  settings.onChange(({ theme: chosen }) => {
    const item = menu.getMenuItemById(`theme-${chosen}`);
    if (item !== null) item.checked = true;
  });
}
