import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { protocol } from 'electron';
import { APP_ORIGIN } from '../../shared/ipc.ts';

/** The page's address; everything the window may ever show is below it. */
export const PAGE_URL = `${APP_ORIGIN}/index.html`;

/**
 * Scripts, styles, fonts and pictures come from the bundle alone, and nothing else loads at all.
 * Style attributes are allowed because Svelte's style directives set them; style elements are not.
 */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "style-src-attr 'unsafe-inline'",
  "img-src 'self' blob:",
  "font-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.map': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.txt': 'text/plain; charset=utf-8',
  '.woff2': 'font/woff2',
};

/** Must run before the app is ready. */
export function registerAppScheme(): void {
  protocol.registerSchemesAsPrivileged([
    { scheme: 'app', privileges: { standard: true, secure: true, supportFetchAPI: true } },
  ]);
}

/** Serve the built page under app://. `protocol.handle` came with Electron 25. */
export function serveApp(): void {
  const folder = path.join(__dirname, 'renderer');
  protocol.handle('app', async (request) => {
    const file = resolveAsset(folder, request.url);
    if (file === null || request.method !== 'GET')
      return new Response('not found', { status: 404 });
    try {
      return new Response(new Uint8Array(await fs.readFile(file)), {
        headers: {
          'content-type': TYPES[path.extname(file)] ?? 'application/octet-stream',
          'content-security-policy': CONTENT_SECURITY_POLICY,
          'x-content-type-options': 'nosniff',
        },
      });
    } catch {
      return new Response('not found', { status: 404 });
    }
  });
}

/** The file of the bundle that an address names, or null for any other address. */
export function resolveAsset(folder: string, address: string): string | null {
  let url: URL;
  let name: string;
  try {
    url = new URL(address);
    name = decodeURIComponent(url.pathname);
  } catch {
    return null;
  }
  if (url.protocol !== 'app:' || url.host !== 'quantscope' || /[\u0000\\]/.test(name)) return null;
  const file = path.join(folder, name);
  return file.startsWith(folder + path.sep) ? file : null;
}
