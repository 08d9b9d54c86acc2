import * as fs from 'node:fs';
import * as path from 'node:path';
import { zipSync } from 'fflate';
import { suggestedFileName } from '../../shared/formats.ts';
import { planWeights, weightsOnly } from '../../shared/plan.ts';
import type { Recipe } from '../../shared/recipe.ts';
import { recipeFromText } from '../../shared/recipe-file.ts';
import { findPreset } from '../../shared/presets.ts';
import { readNames } from '../../electron/engine/answers/names-file.ts';
import { readVocabulary } from '../../electron/engine/answers/vocabulary.ts';
import { Session } from '../../electron/engine/session.ts';
import type { WorkerPool } from '../../electron/engine/pool.ts';
import { openSamples } from '../../electron/engine/calibrate/data/samples.ts';
import { NO_HINTS } from '../../electron/engine/runtime/inputs.ts';
import { floats, rawFile, safetensorsFile } from '../helpers/safetensors.ts';
import {
  amplifyFlatBuffer,
  amplifyHeader,
  amplifyProtobuf,
  amplifyRecipe,
  amplifyShape,
} from './amplify.ts';
import { mutateFlatBuffer, sitesOf, type Sites } from './flatbuffer-sites.ts';
import { mutateBytes, mutateJson, type Random } from './mutate.ts';
import { planted } from './planted.ts';
import { allNodes, mutateProtobuf, parseProtobuf, type ProtoNode } from './protobuf-tree.ts';
import {
  litertSeeds,
  namesSeeds,
  onnxSeeds,
  recipeSeeds,
  safetensorsSeeds,
  sampleSeeds,
  type Seed,
} from './seeds.ts';

/** A kind of file that is mutated: from what, how, and what is done with it. */
export interface Target {
  readonly name: string;
  readonly seeds: readonly Seed[];
  /** A change that knows what the bytes mean. */
  readonly mutate: (seed: Seed, random: Random) => Uint8Array;
  /** A small file that stands for much, where the kind has such. */
  readonly amplify?: (seed: Seed, random: Random) => Uint8Array;
  /** Milliseconds of processor time of a case, where it is to take less than others. */
  readonly time?: number;
  /** Open the file and do with it what the product does. @throws AppError where the file is refused */
  exercise(file: string, random: Random, pool: WorkerPool): Promise<void>;
}

/** Where exports of a case go: a folder in its own. */
export const OUT = 'out';

const never = new AbortController().signal;
const RECIPES = ['int8', 'uint8', 'int4-block32', 'float16', 'litert-dynamic', 'bfloat16', 'q15'];

function bytesOf({ files, mutated }: Seed): Uint8Array {
  return files[mutated]!;
}

/** Something made of a seed once. */
function onceFor<T>(make: (bytes: Uint8Array) => T): (seed: Seed) => T {
  const made = new WeakMap<Uint8Array, T>();
  return (seed) => {
    const bytes = bytesOf(seed);
    if (!made.has(bytes)) made.set(bytes, make(bytes));
    return made.get(bytes)!;
  };
}

/** Open a model, lay out every kind of export, and now and then analyse, inspect, export and reopen it. */
async function exerciseModel(file: string, random: Random, pool: WorkerPool): Promise<void> {
  const session = Session.open(file, pool);
  try {
    session.summary();
    session.opened.graph();
    const recipe: Recipe = {
      ...findPreset(random.pick(RECIPES))!,
      minElements: random.pick([0, 1024]),
    };
    for (const mode of session.opened.modes)
      session.opened.layout(
        weightsOnly(planWeights(session.tensors, recipe)),
        mode,
        recipe,
        `out${session.opened.extension}`,
        new Map(),
      );
    if (random.oneIn(6)) await look(session, recipe, random);
    if (random.oneIn(12)) await exportAndReopen(session, file, recipe, random, pool);
  } finally {
    session.close();
  }
}

async function look(session: Session, recipe: Recipe, random: Random): Promise<void> {
  const { reports } = await session.analyze(recipe, { signal: never });
  const measured = reports.filter(({ quantized }) => quantized);
  if (measured.length === 0) return;
  const { tensor } = random.pick(measured);
  await session.inspect(tensor, [recipe, null], 32, never);
  if (random.oneIn(8)) await session.searchRanges(tensor, recipe, never);
}

async function exportAndReopen(
  session: Session,
  file: string,
  recipe: Recipe,
  random: Random,
  pool: WorkerPool,
): Promise<void> {
  const mode = random.pick(session.opened.modes);
  // The name that previews are of: names of side files and shards are in them.
  const name = suggestedFileName(path.basename(file), recipe.name, mode, session.opened.extension);
  const out = path.join(path.dirname(file), OUT, name);
  const preview = await session.previewExport(recipe, mode, { signal: never });
  const { bytesAfter, quantized } = await session.export(recipe, mode, out, { signal: never });
  if (quantized !== preview.quantized || bytesAfter !== preview.bytesAfter)
    throw new Error('an export is not what its preview said');
  if (quantized > 0 && bytesAfter > session.bytes)
    throw new Error(`an export of ${bytesAfter} bytes of ${session.bytes}`);
  const again = Session.open(out, pool);
  again.close();
}

const protobuf = onceFor((bytes): { tree: ProtoNode[]; nodes: ProtoNode[] } => {
  const tree = parseProtobuf(bytes)!;
  return { tree, nodes: allNodes(tree) };
});

function mutateProto(seed: Seed, random: Random): Uint8Array {
  const { tree, nodes } = protobuf(seed);
  return mutateProtobuf(tree, nodes, random);
}

/** A protobuf that stands for much. */
function amplifyProto(seed: Seed, random: Random): Uint8Array {
  const { tree, nodes } = protobuf(seed);
  return amplifyProtobuf(tree, nodes, random);
}

const flatSites = onceFor((bytes): Sites => sitesOf(bytes));

/** A FlatBuffer that stands for much; one in two twice over: many references to what is long itself. */
function amplifyFlat(bytes: Uint8Array, sites: Sites, random: Random): Uint8Array {
  const once = amplifyFlatBuffer(bytes, sites, random);
  if (random.oneIn(2)) return once;
  try {
    return amplifyFlatBuffer(once, sitesOf(once), random);
  } catch {
    return once; // Text in place of an empty vector of tables leads nowhere.
  }
}

const SAFETENSORS_WORDS = [
  '"F32"',
  '"U8"',
  '"F4"',
  '"F8_E8M0"',
  '"dtype"',
  '"shape"',
  '"data_offsets"',
  '"__metadata__"',
  'axis',
  'block_size',
];

function mutateSafetensors(seed: Seed, random: Random): Uint8Array {
  const bytes = bytesOf(seed);
  if (seed.mutated.endsWith('.json'))
    return Buffer.from(
      mutateJson(
        Buffer.from(bytes).toString(),
        ['"1.safetensors"', '"2.safetensors"', '"weight_map"'],
        random,
      ),
    );
  const end = 8 + Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const header = mutateJson(
    Buffer.from(bytes.subarray(8, end)).toString(),
    SAFETENSORS_WORDS,
    random,
  );
  const data = bytes.subarray(
    end,
    random.oneIn(8) ? end + random.below(bytes.length - end) : bytes.length,
  );
  return rawFile(header, data);
}

function amplifySafetensors(seed: Seed, random: Random): Uint8Array {
  if (seed.mutated.endsWith('.json')) return mutateSafetensors(seed, random);
  const bytes = bytesOf(seed);
  const end = 8 + Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const { header, added } = amplifyHeader(Buffer.from(bytes.subarray(8, end)).toString(), random);
  return rawFile(header, Buffer.concat([bytes.subarray(end), added]));
}

const RECIPE_WORDS = [
  '"int8"',
  '"float16"',
  '"q7"',
  '"q31"',
  '"tensor"',
  '"entropy"',
  '"mse"',
  '{"block":16}',
  '{"percentile":50}',
  '"(a+)+$"',
  '"["',
  '"\\\\p{L}"',
];

const SAMPLE_INPUTS = [
  { name: 'x', type: 'float32', shape: [] },
  { name: 'ids', type: 'int64', shape: [] },
];

/** Samples whose arrays hold as many values as their shapes say. */
async function exerciseSamples(file: string): Promise<void> {
  const model = { inputs: SAMPLE_INPUTS, outputs: [], hints: NO_HINTS };
  const samples = await openSamples(path.dirname(file), model);
  for (let index = 0; index < samples.count; index++)
    for (const [name, { dims, data }] of Object.entries(await samples.at(index)))
      if (data.length !== dims.reduce((product, dim) => product * dim, 1))
        throw new Error(`${name} of shape ${dims.join(' x ')} has ${data.length} values`);
}

function mutateSamples(seed: Seed, random: Random): Uint8Array {
  const bytes = bytesOf(seed);
  if (seed.mutated.endsWith('.pb')) return mutateProto(seed, random);
  if (seed.mutated.endsWith('.npz')) return mutateBytes(bytes, bytes, random);
  const text = Buffer.from(bytes).toString('latin1');
  const start = text.indexOf('{');
  const end = text.indexOf('\n', start);
  const header = mutateJson(
    text.slice(start, end).replaceAll("'", '"'),
    ['(', ')', '<f8', '|u1', '<i4', 'True'],
    random,
  );
  return Buffer.from(
    text.slice(0, start) +
      header
        .replaceAll('"', "'")
        .slice(0, end - start)
        .padEnd(end - start) +
      text.slice(end),
    'latin1',
  );
}

/** Long dimensions: of a protobuf, of an array file with a header of up to 64 kB, or many entries of an archive. */
function amplifySamples(seed: Seed, random: Random): Uint8Array {
  const bytes = bytesOf(seed);
  if (seed.mutated.endsWith('.pb')) return amplifyProto(seed, random);
  if (seed.mutated.endsWith('.npz')) {
    const count = random.pick([100, 2000]);
    const large = new Uint8Array(random.pick([1, 1 << 20]));
    const names = Array.from({ length: count }, (_, at) => `x${at}.npy`);
    return zipSync({
      ...Object.fromEntries(names.map((name) => [name, bytes.subarray(0, 32)])),
      'x.npy': large,
    });
  }
  const header = `${amplifyShape(random.pick([1000, 65_000]), random)}}\n`;
  const head = Uint8Array.of(
    ...bytes.subarray(0, 6),
    1,
    0,
    header.length & 255,
    header.length >> 8,
  );
  return Buffer.concat([head, Buffer.from(header, 'latin1')]);
}

/** Models that recipes are tried on: one of a few weights, and one of many names. */
const RECIPE_MODEL = 'model.safetensors';
const MANY_NAMES = 'many.safetensors';

function manyNames(): Uint8Array {
  const names = Array.from({ length: 1000 }, (_, at) => `model.layers.${at}.mlp.up_proj.weight`);
  return safetensorsFile(Object.fromEntries(names.map((name) => [name, floats([2, 2])])));
}

const NAMES_WORDS = [
  '"vocab"',
  '"model"',
  '"id2label"',
  '"\u2581"',
  '"<0xFF>"',
  '1048575',
  '-1',
  '[[]]',
];

/** Labels by both ways in which a file may be read, and a tokenizer with a text of its first tokens. */
function exerciseNames(file: string): Promise<void> {
  const ids = Array.from({ length: 300 }, (_, id) => id);
  if (path.basename(file).startsWith('tokenizer')) {
    const pieces = readVocabulary(file).decode(ids);
    if (pieces.length !== ids.length) throw new Error(`${pieces.length} pieces of 300 tokens`);
  } else if (readNames(file).some((label) => typeof label !== 'string'))
    throw new Error('a name that is no text');
  return Promise.resolve();
}

/** Everything that is fuzzed, by name. */
export function targetOf(name: string): Target {
  switch (name) {
    case 'onnx':
      return {
        name,
        seeds: onnxSeeds(),
        mutate: mutateProto,
        amplify: amplifyProto,
        exercise: exerciseModel,
      };
    case 'safetensors':
      return {
        name,
        seeds: safetensorsSeeds(),
        mutate: mutateSafetensors,
        amplify: amplifySafetensors,
        exercise: exerciseModel,
      };
    case 'litert':
      return {
        name,
        seeds: litertSeeds(),
        mutate: (seed, random) => mutateFlatBuffer(bytesOf(seed), flatSites(seed), random),
        amplify: (seed, random) => amplifyFlat(bytesOf(seed), flatSites(seed), random),
        exercise: exerciseModel,
      };
    case 'recipe': {
      const model = safetensorsSeeds().find((seed) => seed.name === 'plain')!;
      const many = manyNames();
      return {
        name,
        seeds: recipeSeeds().map((seed) => ({
          ...seed,
          files: { ...seed.files, [RECIPE_MODEL]: bytesOf(model), [MANY_NAMES]: many },
        })),
        mutate: (seed, random) =>
          Buffer.from(mutateJson(Buffer.from(bytesOf(seed)).toString(), RECIPE_WORDS, random)),
        amplify: (seed, random) =>
          Buffer.from(amplifyRecipe(Buffer.from(bytesOf(seed)).toString(), random)),
        exercise: exerciseRecipe,
      };
    }
    case 'samples':
      return {
        name,
        seeds: sampleSeeds(),
        mutate: mutateSamples,
        amplify: amplifySamples,
        exercise: exerciseSamples,
      };
    case 'names':
      return {
        name,
        seeds: namesSeeds(),
        mutate: (seed, random) =>
          Buffer.from(mutateJson(Buffer.from(bytesOf(seed)).toString(), NAMES_WORDS, random)),
        exercise: exerciseNames,
      };
    case planted.name:
      return planted;
    default:
      throw new RangeError(`nothing is fuzzed under the name ${name}`);
  }
}

export const TARGETS = ['onnx', 'safetensors', 'litert', 'recipe', 'samples', 'names'] as const;

async function exerciseRecipe(file: string, random: Random, pool: WorkerPool): Promise<void> {
  const recipe = recipeFromText(fs.readFileSync(file, 'utf8'), file);
  const model = random.oneIn(4) ? MANY_NAMES : RECIPE_MODEL;
  const session = Session.open(path.join(path.dirname(file), model), pool);
  try {
    for (const mode of session.opened.modes)
      session.opened.layout(
        weightsOnly(planWeights(session.tensors, recipe)),
        mode,
        recipe,
        `out${session.opened.extension}`,
        new Map(),
      );
    if (random.oneIn(4)) await look(session, recipe, random);
  } finally {
    session.close();
  }
}
