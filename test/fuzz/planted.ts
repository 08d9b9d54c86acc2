import * as fs from 'node:fs';
import * as path from 'node:path';
import { AppError } from '../../shared/errors.ts';
import { largest } from '../../shared/lists.ts';
import { amplifyProtobuf } from './amplify.ts';
import type { Random } from './mutate.ts';
import { allNodes, mutateProtobuf, parseProtobuf, type ProtoNode } from './protobuf-tree.ts';
import { onnxSeeds } from './seeds.ts';
import { OUT, type Target } from './targets.ts';

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
    for (const end = performance.now() + 2100; performance.now() < end;);
  },
  hang: () => {
    for (;;);
  },
  memory: () => void new Uint8Array(500 << 20).fill(1),
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
  exercise: async (file, random: Random) => PLANTED[random.pick(Object.keys(PLANTED))]!(file),
};

/** As many steps as a loop within a loop makes, of some nanoseconds each; it ends where it is slow enough to be found. */
function quadratic(length: number): number {
  const end = performance.now() + 300;
  let steps = 0;
  for (let at = 0; at < length && performance.now() < end; at++)
    for (let other = 0; other < length; other++) steps += Math.sin(other ^ at);
  return steps;
}

/** Quadratic loops, which files of a mutation or two do not show, by what they run over. */
export const SLOW_SPOTS: Readonly<Record<string, (fields: readonly ProtoNode[]) => void>> = {
  'all fields': (fields) => {
    quadratic(fields.length);
  },
  'the characters of a name': (fields) => {
    quadratic(largest(fields.map(({ bytes, children }) => (children === null ? bytes.length : 0))));
  },
};

/** A protobuf reader with one of the slow spots. */
export function plantedSlow(spot: string): Target {
  const seeds = onnxSeeds().slice(0, 1);
  const seed = seeds[0]!;
  const tree = parseProtobuf(seed.files[seed.mutated]!)!;
  const nodes = allNodes(tree);
  return {
    name: `slow over ${spot}`,
    seeds,
    mutate: (_, random) => mutateProtobuf(tree, nodes, random),
    amplify: (_, random) => amplifyProtobuf(tree, nodes, random),
    exercise: async (file) => {
      SLOW_SPOTS[spot]!(allNodes(parseProtobuf(fs.readFileSync(file)) ?? []));
    },
  };
}
