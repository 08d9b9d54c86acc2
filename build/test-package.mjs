// npm run test:package: the packaged app end to end. It packages the unpacked app unless it is given
// as QUANTSCOPE_RELEASED, the path of its binary.
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, rmSync } from 'node:fs';
import path from 'node:path';
import { flipFuses, FuseVersion, FuseV1Options } from '@electron/fuses';
import { electronDistribution } from './electron-runtime.mjs';
import { root } from './paths.mjs';
import { run } from './run.mjs';

/** The binary of the unpacked app. */
function released() {
  const given = process.env['QUANTSCOPE_RELEASED'];
  if (given !== undefined && given !== '') return path.resolve(given);
  const isLinux = process.platform === 'linux';
  const isFallback = isLinux && electronDistribution().isFallback;
  const output = path.join(root, isFallback ? 'release/for-testing' : 'release');
  const names = {
    linux: ['linux-unpacked/quantscope'],
    win32: ['win-unpacked/Quantscope.exe'],
    darwin: ['mac-arm64', 'mac'].map(
      (folder) => `${folder}/Quantscope.app/Contents/MacOS/Quantscope`,
    ),
  }[process.platform];
  if (isLinux) run(process.execPath, ['build/package.mjs', '--dir']);
  const found = names.map((name) => path.join(output, name)).find((file) => existsSync(file));
  if (found === undefined)
    throw new Error('the packaged app is missing; build it with: npm run package');
  return found;
}

/** A copy beside the binary that Playwright may drive: it differs in the fuse for inspection alone. */
async function drivable(binary) {
  const copy = binary.replace(/(\.exe)?$/, '-driven$1');
  copyFileSync(binary, copy);
  await flipFuses(copy, {
    version: FuseVersion.V1,
    [FuseV1Options.EnableNodeCliInspectArguments]: true,
    resetAdHocDarwinSignature: process.platform === 'darwin',
  });
  return copy;
}

const binary = released();
const driven = await drivable(binary);
try {
  const env = { ...process.env, QUANTSCOPE_RELEASED: binary, QUANTSCOPE_PACKAGED: driven };
  const { status } = spawnSync(
    process.execPath,
    ['build/e2e.mjs', '--project=package', ...process.argv.slice(2)],
    { cwd: root, env, stdio: 'inherit' },
  );
  process.exitCode = status ?? 1;
} finally {
  rmSync(driven);
}
