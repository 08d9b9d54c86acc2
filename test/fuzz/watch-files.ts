// Loaded ahead of everything in each thread of a fuzzed process: notes in the folder that the process
// may write to when a file is opened outside of what it may read or write.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import * as path from 'node:path';
import process from 'node:process';
import { OUTSIDE } from './outside.ts';

/** As it is before it is watched. */
const note = fs.appendFileSync;
const folders = (name: string): string[] => (process.env[name] ?? '').split(path.delimiter);
const writable = folders('QUANTSCOPE_FUZZ_WRITE');
const readable = [...folders('QUANTSCOPE_FUZZ_READ'), ...writable];

function isBelow(file: string, allowed: readonly string[]): boolean {
  const whole = path.resolve(file);
  return allowed.some((folder) => whole === folder || whole.startsWith(folder + path.sep));
}

function check(call: string, file: unknown, isWrite: boolean): void {
  if (typeof file !== 'string' && !(file instanceof URL)) return;
  const name = file instanceof URL ? file.pathname : file;
  if (!isBelow(name, isWrite ? writable : readable))
    note(path.join(writable[0]!, OUTSIDE), `${call} ${JSON.stringify(name)}\n`);
}

type Call = (...args: unknown[]) => unknown;
const calls = fs as unknown as Record<string, Call>;

function watch(name: string, isWrite: (args: readonly unknown[]) => boolean, paths = 1): void {
  const real = calls[name]!;
  calls[name] = (...args) => {
    for (const file of args.slice(0, paths)) check(name, file, isWrite(args));
    return real(...args);
  };
}

const opensToWrite = ([, flags]: readonly unknown[]): boolean =>
  typeof flags === 'string'
    ? flags !== 'r'
    : typeof flags === 'number' &&
      (flags & (fs.constants.O_WRONLY | fs.constants.O_RDWR | fs.constants.O_CREAT)) !== 0;
for (const name of ['openSync', 'open']) watch(name, opensToWrite);
for (const name of ['readFileSync', 'readFile', 'readdirSync', 'readlinkSync'])
  watch(name, () => false);
const WRITERS =
  'writeFileSync appendFileSync mkdirSync rmSync unlinkSync rmdirSync truncateSync chmodSync utimesSync';
for (const name of WRITERS.split(' ')) watch(name, () => true);
for (const name of ['renameSync', 'linkSync', 'symlinkSync', 'copyFileSync'])
  watch(name, () => true, 2);
syncBuiltinESMExports();
