import { app } from 'electron';
import { isRecipeFile } from '../../shared/recipe-file.ts';
import { RotatingLog } from '../files/rotating-log.ts';
import { serveApp, registerAppScheme } from './app-protocol.ts';
import { askToStopExport } from './dialogs.ts';
import { EngineHost } from './engine-host.ts';
import { Handles } from './handles.ts';
import { finishWriting } from './json-file.ts';
import { registerIpc } from './ipc.ts';
import { logEvents } from './log-events.ts';
import { AppMenu } from './menu.ts';
import { OpenFiles } from './open-files.ts';
import { RecentFiles } from './recent-files.ts';
import { ShownAnswers } from './shown-answers.ts';
import { recipeEvent } from './recipe-files.ts';
import { hardenSession, hardenWebContents } from './security.ts';
import { SettingsStore } from './settings.ts';
import { claimSingleInstance } from './single-instance.ts';
import { MainWindow } from './window.ts';

registerAppScheme();

const handles = new Handles();
const openFiles = new OpenFiles();

if (claimSingleInstance(openFiles)) {
  hardenWebContents();
  void app.whenReady().then(start);
} else {
  app.quit();
}

function start(): void {
  const settings = new SettingsStore();
  const recent = new RecentFiles();
  const shownAnswers = new ShownAnswers(handles);
  const window = new MainWindow(settings);
  const log = new RotatingLog(app.getPath('userData'), 'quantscope');
  logEvents(log);
  const engine = new EngineHost(handles, window, settings.get(), log);
  window.beforeClose((open) => {
    if (!engine.isExporting) return null;
    return askToStopExport(open).then(async (stops) => {
      if (stops) await engine.cancelExports();
      return stops;
    });
  });
  hardenSession();
  serveApp();
  const menu = new AppMenu({ window, settings, recent, handles });
  registerIpc({ window, handles, engine, recent, shownAnswers, settings, openFiles, menu, log });
  openFiles.deliverTo((file) => {
    window.open();
    if (isRecipeFile(file)) window.send(recipeEvent(file));
    else window.send({ type: 'open-file', file: handles.grant(file, 'read') });
  });
  window.open();
  app.on('activate', () => window.open());
  app.on('window-all-closed', () => {
    if (process.platform !== 'darwin') app.quit();
  });
  // Not before-quit: the window may still stay open, for its export.
  app.on('will-quit', () => {
    engine.stop();
    finishWriting();
  });
}
