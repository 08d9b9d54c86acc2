import { app, session, shell } from 'electron';
import { PAGE_URL } from './app-protocol.ts';

/** The only addresses that open in a browser, by what the Help menu calls them. */
export const EXTERNAL_ADDRESSES: ReadonlyMap<string, string> = new Map([
  ['ONNX Runtime', 'https://onnxruntime.ai/'],
  ['ONNX', 'https://onnx.ai/'],
]);

/** Port 1 of this computer, where nothing listens: what passes all other checks ends there. */
const DEAD_PROXY = 'socks5://127.0.0.1:1';

/** No page asks for a camera, a place or anything else, and none loads from anywhere but the app. */
export function hardenSession(): void {
  // WebRTC reaches the network past webRequest: with its policy below all of it would take a proxy, and there is none here.
  void session.defaultSession.setProxy({ proxyRules: DEAD_PROXY });
  session.defaultSession.setPermissionRequestHandler((_contents, _permission, answer) =>
    answer(false),
  );
  session.defaultSession.setPermissionCheckHandler(() => false);
  session.defaultSession.setDevicePermissionHandler(() => false);
  session.defaultSession.webRequest.onBeforeRequest((details, answer) => {
    const isOurs = /^(app|devtools|blob):/.test(details.url);
    answer({ cancel: !isOurs });
  });
}

/** No window navigates away, opens another, or holds a webview. */
export function hardenWebContents(): void {
  app.on('web-contents-created', (_event, contents) => {
    contents.setWebRTCIPHandlingPolicy('disable_non_proxied_udp');
    contents.on('will-navigate', (event, address) => {
      // A reload names the page itself; there is nothing else to go to.
      if (address !== PAGE_URL) event.preventDefault();
    });
    contents.on('will-redirect', (event) => event.preventDefault());
    contents.on('will-attach-webview', (event) => event.preventDefault());
    contents.setWindowOpenHandler(({ url }) => {
      if ([...EXTERNAL_ADDRESSES.values()].includes(url)) void shell.openExternal(url);
      return { action: 'deny' };
    });
  });
}
