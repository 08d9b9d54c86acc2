// Loaded ahead of a program: kills it just before the N-th call by which its main thread changes a file
// or folder, N being QUANTSCOPE_KILL_AT. With 0 it runs to its end and writes how many calls there were
// to the file QUANTSCOPE_KILL_COUNT. A program may also call haltAt(N): the N-th call from then on and all later ones
// throw, so that its files stay as a kill there leaves them, while the process lives for the next N.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { isMainThread } from 'node:worker_threads';

const CALLS = 'openSync writeSync fchmodSync fsyncSync closeSync renameSync rmSync'.split(' ');
const at = Number(process.env.QUANTSCOPE_KILL_AT);
const { writeFileSync } = fs;
let calls = 0;
let haltsAt = Infinity;

globalThis.haltAt = (call) => {
  calls = 0;
  haltsAt = call;
};

function watch(name) {
  const real = fs[name];
  fs[name] = (...args) => {
    const isRead = name === 'openSync' && typeof args[1] === 'number';
    if (isRead) return real(...args);
    calls++;
    if (calls >= haltsAt) throw new Error('halted');
    if (calls === at) {
      process.kill(process.pid, 'SIGKILL');
      while (true); // The signal may take a moment.
    }
    return real(...args);
  };
}

if (isMainThread) {
  CALLS.forEach(watch);
  syncBuiltinESMExports();
  if (at === 0)
    process.on('exit', () => writeFileSync(process.env.QUANTSCOPE_KILL_COUNT, String(calls)));
}
