import { execFileSync } from 'node:child_process';
import { chmodSync, lstatSync, lutimesSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { root } from './paths.mjs';

/** Seconds since 1970 that stand for the time of the build: SOURCE_DATE_EPOCH, or that of the commit. */
export function buildTime() {
  const given = process.env['SOURCE_DATE_EPOCH'];
  if (given !== undefined && given !== '') return Number(given);
  const git = ['log', '-1', '--format=%ct'];
  return Number(execFileSync('git', git, { cwd: root, encoding: 'utf8' }));
}

/** Everything below a folder, itself first, in the order of the names. */
export function* walk(folder) {
  yield folder;
  for (const entry of readdirSync(folder, { withFileTypes: true }).sort(byName)) {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) yield* walk(file);
    else yield file;
  }
}

function byName(a, b) {
  return a.name < b.name ? -1 : 1;
}

/** Bytes of all files below a folder. */
export function sizeOf(folder) {
  let bytes = 0;
  for (const file of walk(folder)) if (lstatSync(file).isFile()) bytes += lstatSync(file).size;
  return bytes;
}

/** Give everything below a folder the time of the build, and modes that do not depend on the umask. */
export function setTimes(folder) {
  const time = buildTime();
  for (const file of walk(folder)) {
    const stat = lstatSync(file);
    const isSetuid = (stat.mode & 0o4000) !== 0;
    if (isSetuid) chmodSync(file, 0o4755);
    else if (stat.isDirectory() || (stat.mode & 0o100) !== 0) {
      if (!stat.isSymbolicLink()) chmodSync(file, 0o755);
    } else chmodSync(file, 0o644);
    lutimesSync(file, time, time);
  }
}

/** Pack a folder under a name of its own, with nothing in it that differs from build to build. */
export function buildTar(folder, file, name) {
  const time = buildTime();
  const tar = [
    ...['--create', '--sort=name', '--owner=0', '--group=0', '--numeric-owner', '--format=gnu'],
    ...[`--mtime=@${time}`, `--transform=s,^\\.,${name},S`, '--use-compress-program=gzip -n9'],
    ...['--file', file, '--directory', folder, '.'],
  ];
  execFileSync('tar', tar, { stdio: ['ignore', 'ignore', 'inherit'] });
}
