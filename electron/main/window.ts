import * as path from 'node:path';
import { app, BrowserWindow, dialog, nativeTheme, Notification, screen } from 'electron';
import type { MainEvent } from '../../shared/ipc.ts';
import { PAGE_URL } from './app-protocol.ts';
import { readJson, writeJson } from './json-file.ts';
import type { SettingsStore } from './settings.ts';

const MIN_SIZE = { width: 1024, height: 640 };
const FIRST_SIZE = { width: 1280, height: 800 };

/** No screen reaches further, and Electron throws at coordinates that are no 32-bit integer. */
const MOST_PIXELS = 65_536;

/** A page that crashes more often within this time is not loaded again by itself. */
const MOST_RELOADS = 3;
const CRASHES_WITHIN_MS = 30_000;

/** tokens.css --bg: shown until the page has painted, so that no other colour flashes. */
const BACKGROUND = { light: '#f4f5f7', dark: '#0f1216' };

interface Place {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly maximized: boolean;
}

/** The one window. Events sent while there is none, or before its page listens, are kept for it. */
export class MainWindow {
  private readonly placeFile = path.join(app.getPath('userData'), 'window.json');
  private window: BrowserWindow | null = null;
  private waiting: MainEvent[] = [];
  private isListening = false;
  private isQuitting = false;
  private isAsking = false;
  private crashes: number[] = [];
  private askToClose: (window: BrowserWindow) => Promise<boolean> | null = () => null;

  constructor(settings: SettingsStore) {
    nativeTheme.themeSource = settings.get().theme;
    settings.onChange(({ theme }) => {
      nativeTheme.themeSource = theme;
    });
    app.on('before-quit', () => (this.isQuitting = true));
  }

  /** Have someone asked before the window closes. The answer null closes it at once; false keeps it open. */
  beforeClose(ask: (window: BrowserWindow) => Promise<boolean> | null): void {
    this.askToClose = ask;
  }

  get current(): BrowserWindow | null {
    return this.window;
  }

  /** Open the window, or bring it to the front. */
  open(): void {
    if (this.window !== null) {
      this.focus();
      return;
    }
    const place = this.lastPlace();
    const window = new BrowserWindow({
      ...(place ?? FIRST_SIZE),
      minWidth: MIN_SIZE.width,
      minHeight: MIN_SIZE.height,
      useContentSize: place === null,
      show: false,
      title: 'Quantscope',
      backgroundColor: nativeTheme.shouldUseDarkColors ? BACKGROUND.dark : BACKGROUND.light,
      webPreferences: {
        preload: path.join(__dirname, 'preload.js'),
        sandbox: true,
        contextIsolation: true,
        nodeIntegration: false,
        webviewTag: false,
        spellcheck: false,
      },
    });
    this.window = window;
    if (place?.maximized === true) window.maximize();
    window.once('ready-to-show', () => window.show());
    window.on('close', (event) => this.close(event, window));
    window.on('closed', () => {
      this.window = null;
      this.isListening = false;
    });
    // A page that crashed or was reloaded asks for everything anew.
    window.webContents.on('did-start-navigation', (details) => {
      if (details.isMainFrame && !details.isSameDocument) this.isListening = false;
    });
    window.webContents.on('render-process-gone', (_event, { reason }) => {
      if (reason !== 'clean-exit' && !window.isDestroyed()) void this.reload(window, reason);
    });
    void window.loadURL(PAGE_URL);
  }

  /** How far a long job is, 0 to 1, in the taskbar or dock; null takes the bar away. */
  showProgress(fraction: number | null): void {
    this.window?.setProgressBar(fraction ?? -1);
  }

  /** Tell of something that ended, unless the window is in front. */
  notify(title: string, body: string): void {
    if (this.window?.isFocused() === true || !Notification.isSupported()) return;
    const notification = new Notification({ title, body });
    notification.on('click', () => this.open());
    notification.show();
  }

  focus(): void {
    if (this.window?.isMinimized() === true) this.window.restore();
    this.window?.focus();
  }

  /** Send an event to the page as soon as it listens. */
  send(event: MainEvent): void {
    if (this.window !== null && this.isListening) this.window.webContents.send('event', event);
    else this.waiting.push(event);
  }

  /** The page says that it listens. */
  listening(): void {
    this.isListening = true;
    const events = this.waiting;
    this.waiting = [];
    for (const event of events) this.send(event);
  }

  /** Load the page again after a crash, unless it crashes again and again: then someone decides. */
  private async reload(window: BrowserWindow, reason: string): Promise<void> {
    const now = Date.now();
    this.crashes = [...this.crashes.filter((time) => now - time < CRASHES_WITHIN_MS), now];
    if (this.crashes.length > MOST_RELOADS) {
      this.crashes = [];
      window.show();
      const { response } = await dialog.showMessageBox(window, {
        type: 'error',
        message: 'The window stopped working again and again.',
        detail: `The page ended ${MOST_RELOADS + 1} times within ${CRASHES_WITHIN_MS / 1000} s (${reason}). Running exports go on. Load the page once more, or quit and start Quantscope again without the file.`,
        buttons: ['Load again', 'Quit'],
        cancelId: 0,
      });
      if (response === 1) return app.quit();
    }
    if (!window.isDestroyed()) window.webContents.reload();
  }

  private close(event: Electron.Event, window: BrowserWindow): void {
    const answer = this.isAsking ? Promise.resolve(false) : this.askToClose(window);
    if (answer === null) {
      this.savePlace(window);
      return;
    }
    event.preventDefault();
    if (this.isAsking) return;
    this.isAsking = true;
    void answer.then((mayClose) => {
      this.isAsking = false;
      const { isQuitting } = this;
      this.isQuitting = false;
      if (!mayClose) return;
      // To prevent a window from closing ends the quit that asked for it.
      if (isQuitting) app.quit();
      else if (!window.isDestroyed()) window.close();
    });
  }

  private lastPlace(): Place | null {
    const place = readJson<Partial<Place>>(this.placeFile);
    const numbers = [place?.x, place?.y, place?.width, place?.height];
    if (place === null || !numbers.every(isPixels)) return null;
    const area = screen.getDisplayMatching(place as Place).workArea;
    const { x, y, width, height } = place as Place;
    // A screen that is gone would leave the window out of reach.
    const isVisible =
      x < area.x + area.width - 100 &&
      x + width > area.x + 100 &&
      y >= area.y - 10 &&
      y < area.y + area.height - 100;
    return isVisible && width >= MIN_SIZE.width && height >= MIN_SIZE.height
      ? { x, y, width, height, maximized: place.maximized === true }
      : null;
  }

  private savePlace(window: BrowserWindow): void {
    writeJson(this.placeFile, { ...window.getNormalBounds(), maximized: window.isMaximized() });
  }
}

function isPixels(value: unknown): boolean {
  return Number.isInteger(value) && Math.abs(value as number) <= MOST_PIXELS;
}
