import { contextBridge, ipcRenderer, webFrame } from 'electron';
import {
  APP_ORIGIN,
  ENGINE_PORT_MESSAGE,
  type Channel,
  type MainEvent,
  type PageApi,
} from '../shared/ipc.ts';
import { pathOfFile } from './electron-versions.ts';

/** Channels that the page calls as they are; openDropped is not one, as a page never supplies a path. */
const channels = [
  'info',
  'openDialog',
  'openSample',
  'openRecent',
  'takeInitialFile',
  'listRecent',
  'forgetRecent',
  'describeRecent',
  'inputsDialog',
  'namesDialog',
  'getShown',
  'setShown',
  'openRecipe',
  'saveRecipe',
  'rangesDialog',
  'saveDialog',
  'copyImage',
  'showInFolder',
  'getSettings',
  'setSettings',
  'connectEngine',
  'setModelOpen',
  'diagnostics',
  'setProgress',
  'exportEnded',
] as const satisfies readonly Exclude<Channel, 'openDropped'>[];

const calls = Object.fromEntries(
  channels.map((channel) => [
    channel,
    (...args: unknown[]) => ipcRenderer.invoke(channel, ...args),
  ]),
);

const api = {
  ...calls,
  openDropped: (file: unknown) => ipcRenderer.invoke('openDropped', pathOfFile(file as File)),
  onEvent: (listener: (event: MainEvent) => void) => {
    const forward = (_event: unknown, event: MainEvent): void => listener(event);
    ipcRenderer.on('event', forward);
    ipcRenderer.send('listening');
    return () => void ipcRenderer.off('event', forward);
  },
} as unknown as PageApi;

// A port cannot cross the context bridge; a window message carries it to the page.
ipcRenderer.on('engine-port', (event) => {
  window.postMessage(ENGINE_PORT_MESSAGE, '*', [...event.ports]);
});

// about:blank and error pages get no API.
if (location.origin === APP_ORIGIN) contextBridge.exposeInMainWorld('quantscope', api);

// The page's content security policy says nothing of WebRTC.
void webFrame.executeJavaScript(
  `for (const name of ['RTCPeerConnection', 'webkitRTCPeerConnection', 'RTCDataChannel']) delete globalThis[name];`,
);
