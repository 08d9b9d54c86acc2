import { spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { Page } from '@playwright/test';
import {
  electronArguments,
  electronBinary,
  enginePids,
  expect,
  figuresSettle,
  SAMPLE,
  test,
  type App,
} from './app.ts';

function heading(page: Page, file: string) {
  return page.getByRole('heading', { name: path.basename(file) });
}

/** Count how often main brings the window to the front: under Xvfb no window manager would tell. */
async function countFocus({ electron }: App): Promise<() => Promise<number>> {
  await electron.evaluate(({ BrowserWindow }) => {
    const counted = globalThis as unknown as { focused: number };
    counted.focused = 0;
    const window = BrowserWindow.getAllWindows()[0]!;
    const focus = window.focus.bind(window);
    window.focus = () => {
      counted.focused++;
      focus();
    };
  });
  return () => electron.evaluate(() => (globalThis as unknown as { focused: number }).focused);
}

async function startSecond(profile: string, args: readonly string[]): Promise<void> {
  const second = spawn(electronBinary(), electronArguments(args, profile), { stdio: 'ignore' });
  const [status] = (await once(second, 'exit')) as [number];
  expect(status).toBe(0);
}

test('a second instance ends and brings the first to the front, with its file if it has one', async ({
  launch,
  folder,
}) => {
  const profile = path.join(folder, 'shared-profile');
  const app = await launch([], profile);
  await expect(heading(app.page, 'Quantscope')).toBeVisible();
  const focused = await countFocus(app);
  await startSecond(profile, []);
  await expect.poll(focused).toBe(1);
  await expect(heading(app.page, 'Quantscope')).toBeVisible();
  await startSecond(profile, [SAMPLE]);
  await expect(heading(app.page, SAMPLE)).toBeVisible();
  expect(await focused()).toBe(2);
});

test('a second instance with arguments that cannot be handed over ends, and the first goes on', async ({
  launch,
  folder,
}) => {
  const profile = path.join(folder, 'shared-profile');
  const { page } = await launch([], profile);
  await expect(heading(page, 'Quantscope')).toBeVisible();
  await startSecond(profile, ['x'.repeat(100_000)]);
  await startSecond(profile, [SAMPLE]);
  await expect(heading(page, SAMPLE)).toBeVisible();
});

test('a dropped file opens and does not navigate', async ({ open }) => {
  const { page } = await open();
  await expect(heading(page, 'Quantscope')).toBeVisible();
  const devtools = await page.context().newCDPSession(page);
  const data = { items: [], files: [SAMPLE], dragOperationsMask: 1 };
  for (const type of ['dragEnter', 'dragOver', 'drop'] as const)
    await devtools.send('Input.dispatchDragEvent', { type, x: 400, y: 300, data });
  await expect(heading(page, SAMPLE)).toBeVisible();
  expect(page.url()).toBe('app://quantscope/index.html');
});

test('a page that is reloaded gets the engine and the open file again', async ({ open }) => {
  const { page } = await open(SAMPLE);
  await expect(heading(page, SAMPLE)).toBeVisible();
  await page.reload();
  await expect(heading(page, SAMPLE)).toBeVisible();
  await expect(page.getByRole('contentinfo')).toContainText('Ready', { timeout: 60_000 });
});

test('an engine that keeps dying is given up, and started again when it is asked for', async ({
  launch,
}) => {
  const app = await launch([SAMPLE]);
  const { page } = app;
  await expect(page.getByRole('contentinfo')).toContainText('Ready', { timeout: 60_000 });
  const killed = new Set<number>();
  for (let death = 1; death <= 3; death++) {
    await expect
      .poll(async () => (await enginePids(app)).filter((pid) => !killed.has(pid)))
      .toHaveLength(1);
    const pid = (await enginePids(app)).find((running) => !killed.has(running))!;
    killed.add(pid);
    process.kill(pid, 'SIGKILL');
    await expect.poll(async () => (await enginePids(app)).includes(pid)).toBe(false);
  }
  const alert = page.getByRole('alert').filter({ hasText: 'was not restarted' }).first();
  await expect(alert).toBeVisible();
  expect(await enginePids(app)).toEqual([]);
  await alert.getByRole('button', { name: 'Reopen' }).click();
  await expect(alert).toBeHidden();
  await expect(page.getByRole('contentinfo')).toContainText('Ready', { timeout: 60_000 });
  expect(await enginePids(app)).toHaveLength(1);
});

test('spoilt files in the profile cost what they held, and nothing else', async ({
  launch,
  folder,
}) => {
  const profile = path.join(folder, 'spoilt');
  fs.mkdirSync(profile);
  fs.writeFileSync(path.join(profile, 'settings.json'), '{"theme":');
  fs.writeFileSync(path.join(profile, 'recent.json'), '[null, {"path": 5}, "x"]');
  fs.writeFileSync(
    path.join(profile, 'window.json'),
    '{"x":1e300,"y":0,"width":1280,"height":800,"maximized":false}',
  );
  const app = await launch([], profile);
  await expect(app.page.getByRole('button', { name: 'Open the sample' })).toBeVisible();
  expect(app.complaints).toEqual([]);
  const [width, height] = await app.electron.evaluate(({ BrowserWindow }) =>
    BrowserWindow.getAllWindows()[0]!.getContentSize(),
  );
  expect([width, height]).toEqual([1280, 800]);
});

test('the window and the theme are next time as they were left, and the menu shows the theme', async ({
  launch,
  folder,
}) => {
  const profile = path.join(folder, 'kept');
  const first = await launch([SAMPLE], profile);
  await first.page.getByRole('button', { name: 'Theme: system' }).click();
  await first.page.getByRole('menuitemradio', { name: 'Dark' }).click();
  const checked = ({ electron }: App): Promise<string[]> =>
    electron.evaluate(({ Menu }) =>
      ['system', 'light', 'dark'].filter(
        (theme) => Menu.getApplicationMenu()!.getMenuItemById(`theme-${theme}`)!.checked,
      ),
    );
  await expect.poll(() => checked(first)).toEqual(['dark']);
  const bounds = { x: 60, y: 40, width: 1100, height: 700 };
  await first.electron.evaluate(({ BrowserWindow }, wanted) => {
    BrowserWindow.getAllWindows()[0]!.setBounds(wanted);
  }, bounds);
  const boundsOf = ({ electron }: App): Promise<object> =>
    electron.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]!.getBounds());
  await expect.poll(() => boundsOf(first)).toEqual(bounds);
  await first.electron.close();
  const again = await launch([], profile);
  await expect(heading(again.page, 'Quantscope')).toBeVisible();
  expect(await boundsOf(again)).toEqual(bounds);
  expect(await checked(again)).toEqual(['dark']);
  expect(await again.page.evaluate(() => matchMedia('(prefers-color-scheme: dark)').matches)).toBe(
    true,
  );
});

test('the start page and the dialog offer the formats that the engine tells of', async ({
  open,
}) => {
  const { page, electron } = await open();
  const drop = page.getByRole('group', { name: 'Drop a model here' });
  await expect(drop).toContainText('LiteRT, safetensors, ONNX · any size');
  await electron.evaluate(({ dialog }) => {
    const asked = globalThis as unknown as { filters: unknown };
    dialog.showOpenDialog = (...given: unknown[]) => {
      asked.filters = (given.at(-1) as { filters?: unknown }).filters;
      return Promise.resolve({ canceled: true, filePaths: [] });
    };
  });
  await page.getByRole('button', { name: 'Open…' }).click();
  await expect
    .poll(() => electron.evaluate(() => (globalThis as unknown as { filters: unknown }).filters))
    .toEqual([
      {
        name: 'Models',
        extensions: ['tflite', 'litert', 'safetensors', 'safetensors.index.json', 'onnx'],
      },
      { name: 'All files', extensions: ['*'] },
    ]);
});

/** What the menu bar says of the commands that need a model, and of the recent files. */
function menuState({ electron }: App): Promise<{ enabled: string[]; recent: [string, boolean][] }> {
  return electron.evaluate(({ Menu }) => {
    const menu = Menu.getApplicationMenu()!;
    const commands = ['export', 'close', 'save-recipe', 'find', 'compare', 'view-compare'];
    const recent = menu.getMenuItemById('open-recent')!.submenu!.items;
    return {
      enabled: [...commands, 'view-budget', 'view-run', 'open', 'view-formats'].filter(
        (id) => menu.getMenuItemById(id)!.enabled,
      ),
      recent: recent.map(({ label, enabled }): [string, boolean] => [label, enabled]),
    };
  });
}

test('the menu disables what needs a model without one, and marks a recent file that was deleted', async ({
  launch,
  folder,
}) => {
  const profile = path.join(folder, 'menu');
  const model = path.join(folder, 'mine.onnx');
  fs.copyFileSync(SAMPLE, model);
  const opened = await launch([model], profile);
  await figuresSettle(opened);
  expect(await menuState(opened)).toEqual({
    enabled: [
      ...['export', 'close', 'save-recipe', 'find', 'compare', 'view-compare'],
      ...['view-budget', 'view-run', 'open', 'view-formats'],
    ],
    recent: [[`mine.onnx (${folder})`, true]],
  });
  await opened.electron.close();
  fs.rmSync(model);
  const empty = await launch([], profile);
  await expect(heading(empty.page, 'Quantscope')).toBeVisible();
  expect(await menuState(empty)).toEqual({
    enabled: ['open', 'view-formats'],
    recent: [[`mine.onnx (moved or deleted from ${folder})`, false]],
  });
});
