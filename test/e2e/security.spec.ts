import * as dgram from 'node:dgram';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { root } from '../helpers/root.ts';
import { expect, test } from './app.ts';

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
  test('has no Node, and of the preload just the API', async ({ open }) => {
    const { page } = await open();
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
      'copyImage',
      'describeRecent',
      'diagnostics',
      'exportEnded',
      'forgetRecent',
      'getSettings',
      'getShown',
      'info',
      'inputsDialog',
      'listRecent',
      'namesDialog',
      'onEvent',
      'openDialog',
      'openDropped',
      'openRecent',
      'openRecipe',
      'openSample',
      'rangesDialog',
      'saveDialog',
      'saveRecipe',
      'setModelOpen',
      'setProgress',
      'setSettings',
      'setShown',
      'showInFolder',
      'takeInitialFile',
    ]);
  });

  test('is sandboxed and isolated in every window', async ({ open }) => {
    const { electron } = await open();
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

  test('gets no permission', async ({ open }) => {
    const { page } = await open();
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
    // Requests take another way through Electron than queries.
    const asked = await page.evaluate(async () => ({
      notifications: await Notification.requestPermission(),
      place: await new Promise((resolve) => {
        navigator.geolocation.getCurrentPosition(
          () => resolve('given'),
          ({ code }) => resolve(code),
        );
      }),
      midi: await navigator.requestMIDIAccess({ sysex: true }).then(
        () => 'given',
        ({ name }: Error) => name,
      ),
    }));
    expect(asked).toEqual({ notifications: 'denied', place: 1, midi: expect.any(String) });
    expect(asked.midi).not.toBe('given');
  });

  test('runs no injected script and no eval', async ({ open }) => {
    const { page } = await open();
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
            // oxlint-disable-next-line typescript/no-implied-eval, typescript/no-unsafe-call
            new Function('return 1')(); // eslint-disable-line no-new-func
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

  test('reaches nothing outside the app, not even a file that is there', async ({ open }) => {
    const { page } = await open();
    const up = '..%2f'.repeat(root.split(path.sep).length + 2);
    // Beside the page's folder, above the repository, and the same in other spellings.
    const escapes = [
      'app://quantscope/..%2fstart.js',
      'app://quantscope/%2e%2e%2fstart.js',
      'app://quantscope/assets/..%2f..%2fstart.js',
      'app://quantscope/..%2f..%2fpackage.json',
      `app://quantscope/${up}etc/passwd`,
      'app://quantscope/../../etc/passwd',
      'app://quantscope/%2fetc%2fpasswd',
      'app://quantscope/..%5cstart.js',
    ];
    expect(fs.existsSync(path.join(root, 'dist/start.js'))).toBe(true);
    const get = (address: string): Promise<string> =>
      page.evaluate(
        (asked) =>
          fetch(asked).then(
            (answer) => String(answer.status),
            () => 'failed',
          ),
        address,
      );
    for (const address of escapes) expect(await get(address), address).toBe('404');
    // Chromium or the session refuses these before they come to us.
    const refused = [
      'https://example.com/',
      'file:///etc/passwd',
      'app://../etc/passwd',
      'app://quantscope/index.html%00',
    ];
    for (const address of refused) expect(await get(address), address).toBe('failed');
    expect(await get('app://quantscope/index.html')).toBe('200');
  });

  // A navigation that was refused stays pending for Playwright, which the next test would wait for.
  test('does not navigate and opens no windows', async ({ launch }) => {
    const { page, electron } = await launch();
    expect(await page.evaluate(() => window.open('https://example.com/'))).toBeNull();
    for (const address of ['https://example.com/', 'app://quantscope/other.html']) {
      await page.evaluate((target) => {
        location.href = target;
      }, address);
      await page.waitForTimeout(300);
      expect(page.url()).toBe('app://quantscope/index.html');
    }
    expect(
      await electron.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows().length),
    ).toBe(1);
  });

  test('gets an error for malformed arguments', async ({ open }) => {
    const { page } = await open();
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
        api['saveDialog']!('x'.repeat(100), 'y', 'model'),
      ]);
    });
    for (const answer of malformed)
      expect(answer).toMatchObject({ ok: false, error: { code: 'BAD_USAGE' } });
    expect(JSON.stringify(malformed).match(/malformed arguments/g)).toHaveLength(malformed.length);
  });

  test('attaches no webview, and has no API in a frame', async ({ open }) => {
    const { page, electron } = await open();
    const framed = await page.evaluate(async () => {
      const view = document.createElement('webview');
      view.setAttribute('src', 'app://quantscope/index.html');
      const frame = document.createElement('iframe');
      frame.src = 'app://quantscope/index.html';
      document.body.append(view, frame);
      await new Promise((resolve) => {
        setTimeout(resolve, 500);
      });
      // frame-ancestors 'none' and the missing frame-src leave nothing in it to call from.
      return frame.contentDocument === null || !('quantscope' in frame.contentWindow!);
    });
    expect(framed).toBe(true);
    const kinds = await electron.evaluate(({ webContents }) =>
      webContents.getAllWebContents().map((contents) => contents.getType()),
    );
    expect(kinds).not.toContain('webview');
  });

  test('opens in a browser only what is on the list, to the letter', async ({ launch }) => {
    const { page, electron } = await launch();
    await electron.evaluate(({ shell }) => {
      const opened: string[] = [];
      Object.assign(globalThis, { opened });
      shell.openExternal = (address) => {
        opened.push(address);
        return Promise.resolve();
      };
    });
    await page.evaluate(() => {
      for (const address of [
        'https://example.com/',
        'https://onnx.ai/',
        'https://onnx.ai/elsewhere',
        'https://onnx.ai.example.com/',
        'http://onnx.ai/',
        'file:///etc/passwd',
      ])
        window.open(address);
    });
    const opened = (): Promise<string[]> =>
      electron.evaluate(() => (globalThis as unknown as { opened: string[] }).opened);
    await expect.poll(opened).toEqual(['https://onnx.ai/']);
  });

  test('is the only sender that main listens to', async ({ launch }) => {
    const { electron } = await launch();
    // A second window with our own preload and our own origin: only who it is tells it apart.
    const preload = path.join(root, 'dist/preload.js');
    const answers = await electron.evaluate(async ({ BrowserWindow }, file) => {
      const foreign = new BrowserWindow({
        show: false,
        webPreferences: { preload: file, sandbox: true, contextIsolation: true },
      });
      await foreign.loadURL('app://quantscope/index.html');
      const found = (await foreign.webContents.executeJavaScript(`
        Promise.all(
          Object.keys(window.quantscope)
            .filter((channel) => channel !== 'onEvent')
            .map(async (channel) => {
              const argument = channel === 'openDropped' ? new File([], 'x') : {};
              return [channel, await window.quantscope[channel](argument)];
            }),
        )`)) as [string, unknown][];
      foreign.destroy();
      return found;
    }, preload);
    expect(answers).toHaveLength(26);
    for (const [channel, answer] of answers)
      expect(answer, channel).toMatchObject({
        ok: false,
        error: { code: 'BAD_USAGE', field: 'sender' },
      });
  });

  test('has no API at another address, and none that main answers at another address of the app', async ({
    launch,
  }) => {
    const { electron } = await launch();
    const found = await electron.evaluate(async ({ BrowserWindow }) => {
      const { webContents } = BrowserWindow.getAllWindows()[0]!;
      await webContents.loadURL('about:blank');
      const blank: unknown = await webContents.executeJavaScript('typeof window.quantscope');
      await webContents.loadURL('app://quantscope/other.html').catch(() => undefined);
      const other: unknown = await webContents.executeJavaScript('window.quantscope.info()');
      return { blank, other };
    });
    expect(found).toMatchObject({
      blank: 'undefined',
      other: { ok: false, error: { code: 'BAD_USAGE', field: 'sender' } },
    });
  });

  test('has no WebRTC, and in a frame that has it no candidate and no packet', async ({ open }) => {
    const { page } = await open();
    const socket = dgram.createSocket('udp4');
    let packets = 0;
    socket.on('message', () => packets++);
    await new Promise<void>((resolve) => {
      socket.bind(0, '127.0.0.1', resolve);
    });
    const found = await page.evaluate(async (port) => {
      const frame = document.createElement('iframe');
      document.body.append(frame);
      const Connection = (frame.contentWindow as unknown as typeof globalThis).RTCPeerConnection as
        | typeof RTCPeerConnection
        | undefined;
      const candidates: string[] = [];
      if (Connection !== undefined) {
        const connection = new Connection({ iceServers: [{ urls: `stun:127.0.0.1:${port}` }] });
        connection.onicecandidate = ({ candidate }) => {
          if (candidate !== null && candidate.candidate !== '')
            candidates.push(candidate.candidate);
        };
        connection.createDataChannel('out');
        await connection.setLocalDescription(await connection.createOffer());
        await new Promise((resolve) => {
          setTimeout(resolve, 1500);
        });
      }
      return { here: typeof RTCPeerConnection, candidates };
    }, socket.address().port);
    socket.close();
    expect({ ...found, packets }).toEqual({ here: 'undefined', candidates: [], packets: 0 });
  });

  test('makes no request but for its own files, over a whole run', async ({ open }) => {
    const { page } = await open();
    const asked: string[] = [];
    page.on('request', (request) => asked.push(request.url()));
    await page.reload();
    await page.getByRole('button', { name: 'Open the sample' }).click();
    await expect(page.getByRole('contentinfo')).toContainText('Ready', { timeout: 60_000 });
    expect(asked.length).toBeGreaterThan(2);
    for (const address of asked) expect(address).toMatch(/^(app:\/\/quantscope\/|blob:app:)/);
  });
});
