import * as fs from 'node:fs';
import * as path from 'node:path';
import { AppError } from '../../shared/errors.ts';
import type { Random } from './mutate.ts';
import { OUT, type Target } from './targets.ts';

/** Milliseconds that a case may take; a mistake that takes more is made twice, to be sure. */
const TIME = 700;

/** Every mistake that fuzzing must find, made on purpose. */
export const PLANTED: Readonly<Record<string, (file: string) => void>> = {
  // A read without its bounds checked.
  bounds: (file) => {
    const bytes = fs.readFileSync(file);
    new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(bytes.length);
  },
  place: (file) => {
    throw new AppError('MALFORMED', 'is bad', { file });
  },
  slow: () => {
    // Of processor time, which is what is limited.
    const from = process.cpuUsage();
    for (let used = 0; used < 1050 * TIME;) {
      const { user, system } = process.cpuUsage(from);
      used = user + system;
    }
  },
  // As a loop without end, but for the processor time.
  hang: () => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0),
  memory: () => void new Uint8Array(270 << 20).fill(1),
  outside: () => void fs.readFileSync('/etc/hosts'),
  temporary: (file) => fs.writeFileSync(path.join(path.dirname(file), OUT, '.x.tmp'), ''),
  source: (file) => fs.appendFileSync(file, 'x'),
  crash: () => process.abort(),
};

/** A format whose reader makes a mistake each time: what npm run fuzz is itself tested with. */
export const planted: Target = {
  name: 'planted',
  seeds: [{ name: 'a', files: { a: new Uint8Array(64).fill(1) }, mutated: 'a' }],
  mutate: () => new Uint8Array(64),
  time: TIME,
  exercise: async (file, random: Random) => PLANTED[random.pick(Object.keys(PLANTED))]!(file),
};
