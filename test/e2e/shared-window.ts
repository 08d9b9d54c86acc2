import { expect, type ElectronApplication, type Page } from '@playwright/test';
import type { PageApi, Settings } from '../../shared/ipc.ts';

/** A window as it is after a start with a new profile, taken back to that before each test that uses it. */
export interface SharedWindow {
  readonly electron: ElectronApplication;
  readonly page: Page;
  /** Errors and warnings of the page since the window was last reset. */
  readonly complaints: string[];
  readonly settings: Settings;
}

type WithApi = { readonly quantscope: PageApi };

/** Notes what a fresh window has: settings, size and the dialogs that tests replace. */
export async function shareWindow(
  electron: ElectronApplication,
  page: Page,
  complaints: string[],
): Promise<SharedWindow> {
  await electron.evaluate(({ BrowserWindow, dialog }) => {
    const dialogs = { ...dialog };
    if (!('showOpenDialog' in dialogs)) throw new Error('the dialogs are not there to be kept');
    const window = BrowserWindow.getAllWindows()[0]!;
    const [width, height] = window.getContentSize();
    const reset = (): void => {
      Object.assign(dialog, dialogs);
      window.webContents.setZoomFactor(1);
      window.setContentSize(width!, height!);
    };
    Object.assign(globalThis, { reset });
  });
  const answer = await page.evaluate(() => (window as unknown as WithApi).quantscope.getSettings());
  if (!answer.ok) throw new Error(answer.error.message);
  return { electron, page, complaints, settings: answer.value };
}

/** Closes the model and forgets what the tests before left in main, in the profile and in the page. */
export async function resetWindow({
  electron,
  page,
  complaints,
  settings,
}: SharedWindow): Promise<void> {
  await electron.evaluate(({ clipboard, Menu }) => {
    clipboard.clear();
    (globalThis as unknown as { reset(): void }).reset();
    (Menu.getApplicationMenu()!.getMenuItemById('close')!.click as () => void)();
  });
  await expectWelcome(page);
  await page.evaluate(async (fresh) => {
    const { quantscope } = window as unknown as WithApi;
    await quantscope.setSettings(fresh);
    const recent = await quantscope.listRecent();
    if (recent.ok) for (const { id } of recent.value) await quantscope.forgetRecent(id);
  }, settings);
  await page.mouse.move(0, 0);
  await page.reload();
  await expectWelcome(page);
  complaints.length = 0;
}

/** Opens a file as a double click on it does. */
export async function openFromSystem(
  { electron, page }: SharedWindow,
  file: string,
): Promise<void> {
  await electron.evaluate(({ app }, opened) => {
    app.emit('open-file', { preventDefault: () => undefined }, opened);
  }, file);
  await expect(page.getByRole('heading', { name: 'Quantscope' })).toBeHidden();
}

async function expectWelcome(page: Page): Promise<void> {
  await expect(page.getByRole('heading', { name: 'Quantscope' })).toBeVisible();
}
