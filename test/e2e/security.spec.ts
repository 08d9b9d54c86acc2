import { spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { root } from '../helpers/root.ts';
import { electronArguments, electronBinary, expect, SAMPLE, test } from './app.ts';

test('nothing in the page reaches for the network: no http or ws address in the bundle but namespaces and licences', () => {
  const folder = path.join(root, 'dist/renderer');
  const files = fs
    .readdirSync(folder, { recursive: true })
    .map(String)
    .filter((name) => /\.(html|js|css)$/.test(name));
  expect(files.length).toBeGreaterThan(1);
  // Names of XML namespaces and links in comments or messages are never fetched; any other address would be.
  const known =
    /^https?:\/\/(www\.w3\.org|svelte\.dev|bits-ui\.com|github\.com|lucide\.dev|floating-ui\.com|developer\.mozilla\.org)\b/;
  for (const name of files)
    for (const [address] of fs
      .readFileSync(path.join(folder, name), 'utf8')
      .matchAll(/\b(?:https?|wss?):\/\/[^\s"'`)\\]+/g))
      expect(address, name).toMatch(known);
});

test.describe('the page', () => {
  test('has no Node, and of the preload just the API', async ({ launch }) => {
    const { page } = await launch();
    expect(
      await page.evaluate(() => [
        typeof (globalThis as { require?: unknown }).require,
        typeof (globalThis as { process?: unknown }).process,
        typeof (globalThis as { ipcRenderer?: unknown }).ipcRenderer,
        typeof (globalThis as { module?: unknown }).module,
      ]),
    ).toEqual(['undefined', 'undefined', 'undefined', 'undefined']);
    expect(
      await page.evaluate(() =>
        Object.keys((globalThis as unknown as { quantscope: object }).quantscope).sort(),
      ),
    ).toEqual([
      'connectEngine',
      'describeRecent',
      'forgetRecent',
      'getSettings',
      'info',
      'listRecent',
      'onEvent',
      'openDialog',
      'openDropped',
      'openRecent',
      'openSample',
      'saveDialog',
      'setSettings',
      'showInFolder',
      'takeInitialFile',
    ]);
  });

  test('is sandboxed and isolated in every window', async ({ launch }) => {
    const { electron } = await launch();
    const preferences = await electron.evaluate(({ BrowserWindow }) =>
      BrowserWindow.getAllWindows().map((window) => {
        const found = (
          window.webContents as unknown as { getLastWebPreferences(): Record<string, unknown> }
        ).getLastWebPreferences();
        return {
          sandbox: found['sandbox'],
          contextIsolation: found['contextIsolation'],
          nodeIntegration: found['nodeIntegration'],
          webviewTag: found['webviewTag'],
        };
      }),
    );
    expect(preferences).toEqual([
      { sandbox: true, contextIsolation: true, nodeIntegration: false, webviewTag: false },
    ]);
  });

  test('gets no permission', async ({ launch }) => {
    const { page } = await launch();
    const states = await page.evaluate(async () => {
      const names = ['geolocation', 'notifications', 'camera', 'microphone', 'clipboard-read'];
      return Promise.all(
        names.map(
          async (name) =>
            (await navigator.permissions.query({ name: name as PermissionName })).state,
        ),
      );
    });
    expect(new Set(states)).toEqual(new Set(['denied']));
  });

  test('runs no injected script and no eval', async ({ launch }) => {
    const { page } = await launch();
    const ran = await page.evaluate(async () => {
      const script = document.createElement('script');
      script.textContent = 'globalThis.injected = true';
      document.body.append(script);
      const image = document.createElement('div');
      image.innerHTML = '<img src="x" onerror="globalThis.injected = true">';
      document.body.append(image);
      // In a timer: what DevTools evaluates is itself exempt from the page's policy, what it starts is not.
      const evaluated = await new Promise((resolve) => {
        setTimeout(() => {
          try {
            // The page's own policy is what is tested here.
            // eslint-disable-next-line no-new-func, @typescript-eslint/no-implied-eval, @typescript-eslint/no-unsafe-call
            new Function('return 1')();
            resolve(true);
          } catch {
            resolve(false);
          }
        }, 300);
      });
      return { injected: 'injected' in globalThis, evaluated };
    });
    expect(ran).toEqual({ injected: false, evaluated: false });
  });

  test('reaches nothing outside the app', async ({ launch }) => {
    const { page } = await launch();
    const answers = await page.evaluate(async () => {
      const get = async (address: string): Promise<string> =>
        fetch(address).then(
          (answer) => String(answer.status),
          () => 'failed',
        );
      return [
        await get('https://example.com/'),
        await get('file:///etc/passwd'),
        await get('app://quantscope/../../etc/passwd'),
        await get('app://quantscope/%2e%2e/%2e%2e/etc/passwd'),
        await get('app://quantscope/..%2f..%2fetc%2fpasswd'),
        await get('app://quantscope/index.html'),
      ];
    });
    expect(answers).toEqual(['failed', 'failed', '404', '404', '404', '200']);
  });

  test('does not navigate, open windows or take dropped files as pages', async ({ launch }) => {
    const { page, electron } = await launch();
    expect(await page.evaluate(() => window.open('https://example.com/'))).toBeNull();
    await page.evaluate(() => {
      location.href = 'https://example.com/';
    });
    await page.waitForTimeout(300);
    expect(page.url()).toBe('app://quantscope/index.html');
    expect(
      await electron.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows().length),
    ).toBe(1);
  });

  test('gets an error for malformed arguments, and is refused from a frame', async ({ launch }) => {
    const { page } = await launch();
    const malformed = await page.evaluate(async () => {
      const api = (
        globalThis as unknown as {
          quantscope: Record<string, (...args: unknown[]) => Promise<unknown>>;
        }
      ).quantscope;
      return Promise.all([
        api['openRecent']!(5),
        api['openRecent']!(),
        api['setSettings']!({ theme: 'pink' }),
        api['setSettings']!({ admin: true }),
        api['info']!('extra'),
        api['saveDialog']!('x'.repeat(100), 'y'),
      ]);
    });
    for (const answer of malformed)
      expect(answer).toMatchObject({ ok: false, error: { code: 'BAD_USAGE' } });
    expect(JSON.stringify(malformed).match(/malformed arguments/g)).toHaveLength(malformed.length);
    const framed = await page.evaluate(async () => {
      const frame = document.createElement('iframe');
      frame.src = 'app://quantscope/index.html';
      document.body.append(frame);
      await new Promise((resolve) => {
        setTimeout(resolve, 500);
      });
      // frame-ancestors 'none' and the missing frame-src leave nothing in it to call from.
      return frame.contentDocument === null || !('quantscope' in frame.contentWindow!);
    });
    expect(framed).toBe(true);
  });
});

test('a second instance hands its file to the first, which comes to the front, and ends', async ({
  launch,
  folder,
}) => {
  const profile = path.join(folder, 'shared-profile');
  const { page } = await launch([], profile);
  await expect(page.getByRole('heading', { name: 'Quantscope' })).toBeVisible();
  const second = spawn(electronBinary(), electronArguments([SAMPLE], profile), { stdio: 'ignore' });
  const [status] = (await once(second, 'exit')) as [number];
  expect(status).toBe(0);
  await expect(page.getByRole('heading', { name: path.basename(SAMPLE) })).toBeVisible();
});
