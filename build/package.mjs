// npm run package: the packages of this system in release/. A machine that cannot download the supported
// Electron gets the same with the fallback in release/for-testing/, of which nothing is to be released.
// npm run package -- --dir: only the unpacked app.
import { mkdirSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { build, Platform } from 'electron-builder';
import { buildDeb } from './debian.mjs';
import { builderConfig } from './electron-builder.mjs';
import { electronDistribution, supportedVersion } from './electron-runtime.mjs';
import { buildTar, buildTime, setTimes } from './package-files.mjs';
import { root } from './paths.mjs';
import { run } from './run.mjs';
import { version } from './version.mjs';

async function packageLinux(electron, output, onlyFolder) {
  const config = builderConfig(electron, output);
  const builder = (options) => build({ projectDir: root, config, publish: 'never', ...options });
  await builder({ targets: Platform.LINUX.createTarget('dir') });
  const app = path.join(output, 'linux-unpacked');
  setTimes(app);
  if (onlyFolder) return [];
  const name = `quantscope-${version}-linux-${process.arch}`;
  const tar = path.join(output, `${name}.tar.gz`);
  buildTar(app, tar, name);
  const built = [tar];
  if (process.arch === 'x64') {
    const deb = path.join(output, `quantscope_${version}_amd64.deb`);
    buildDeb(app, deb, { version, level: electron.isFallback ? 1 : 6 });
    built.push(deb);
  }
  // It downloads its runtime from where Electron comes from.
  if (electron.isFallback)
    console.log('AppImage: not built, because its runtime cannot be downloaded here');
  else
    built.push(
      ...(await builder({ targets: Platform.LINUX.createTarget('AppImage'), prepackaged: app })),
    );
  console.log('dmg and zip for macOS: built on macOS');
  console.log('nsis and zip for Windows: built on Windows');
  return built;
}

function packageOther(output) {
  const platform = process.platform === 'darwin' ? Platform.MAC : Platform.WINDOWS;
  // For each architecture another Electron, which electron-builder downloads.
  const config = builderConfig({ version: supportedVersion() }, output);
  return build({ projectDir: root, targets: platform.createTarget(), config, publish: 'never' });
}

const onlyFolder = process.argv.includes('--dir');
process.env['SOURCE_DATE_EPOCH'] = String(buildTime());
try {
  run(process.execPath, ['build/build.mjs']);
  const electron = electronDistribution();
  const output = path.join(root, electron.isFallback ? 'release/for-testing' : 'release');
  rmSync(output, { recursive: true, force: true });
  mkdirSync(output, { recursive: true });
  if (electron.isFallback)
    console.log(
      `Packages with Electron ${electron.version} are for testing only: do not release them`,
    );
  const built = await (process.platform === 'linux'
    ? packageLinux(electron, output, onlyFolder)
    : packageOther(output));
  for (const file of built)
    console.log(`${path.relative(root, file)}: ${(statSync(file).size / 1e6).toFixed(1)} MB`);
} catch (error) {
  console.error(`npm run package: ${error.message}`);
  process.exitCode = 1;
}
