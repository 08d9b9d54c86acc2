// Kills exports of the built command line at every kind of step: ROOT [KILLS]. After each kill the source
// is as it was, the target is the old set or the new one, whole, and what a next start leaves is that set
// and nothing else.
import { spawnSync } from 'node:child_process';
import * as crypto from 'node:crypto';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import process from 'node:process';
import { recoverFolder } from '../../electron/engine/export/journal.ts';
import { openModel } from '../../electron/engine/formats/registry.ts';
import { writeExternalModel } from '../helpers/external-model.ts';
import { matMulModel } from '../helpers/onnx-model.ts';
import { floats, safetensorsFile } from '../helpers/safetensors.ts';

const [root, kills = '200'] = process.argv.slice(2) as [string, string?];
const work = fs.mkdtempSync(path.join(os.tmpdir(), 'quantscope-kill-'));
const INDEX = 'model.safetensors.index.json';

type Digests = Readonly<Record<string, string>>;

function digests(folder: string): Digests {
  const digest = (name: string): string =>
    crypto
      .createHash('sha256')
      .update(fs.readFileSync(path.join(folder, name)))
      .digest('hex');
  return Object.fromEntries(
    fs
      .readdirSync(folder)
      .sort()
      .map((name) => [name, digest(name)]),
  );
}

function isEqual(a: Digests, b: Digests): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function writeSingle(folder: string): string {
  fs.mkdirSync(folder);
  fs.writeFileSync(path.join(folder, 'model.onnx'), matMulModel(256, 256));
  return path.join(folder, 'model.onnx');
}

function writeSharded(folder: string): string {
  fs.mkdirSync(folder);
  const map = [1, 2, 3].map((at): [string, string] => [`w${at}`, `x${at}.safetensors`]);
  for (const [at, [tensor, file]] of map.entries())
    fs.writeFileSync(
      path.join(folder, file),
      safetensorsFile({ [tensor]: floats([128, 128], at) }),
    );
  fs.writeFileSync(
    path.join(folder, INDEX),
    JSON.stringify({ weight_map: Object.fromEntries(map) }),
  );
  return path.join(folder, INDEX);
}

/** Export, killed before the N-th change of the disk; 0 lets it live. @returns how many changes there were */
function exportKilledAt(source: string, target: string, recipe: string, at: number): number {
  const count = path.join(work, 'count');
  const hook = path.join(root, 'test/kill/kill-at.mjs');
  const args = ['export', source, '--recipe', recipe, '--out', target];
  const { signal, status, stderr } = spawnSync(
    process.execPath,
    ['--import', hook, path.join(root, 'dist/cli.js'), ...args],
    {
      encoding: 'utf8',
      env: { ...process.env, QUANTSCOPE_KILL_AT: String(at), QUANTSCOPE_KILL_COUNT: count },
    },
  );
  if (at === 0 ? status !== 0 : signal !== 'SIGKILL')
    throw new Error(`the export ended with ${status ?? signal}: ${stderr}`);
  return at === 0 ? Number(fs.readFileSync(count, 'utf8')) : 0;
}

/** Whether a target is one of two sets, whole: it opens, and each file of it has the digest that it has there. */
function isWhole(target: string, sets: readonly Digests[]): boolean {
  const found = digests(path.dirname(target));
  if (!fs.existsSync(target)) return sets.some((set) => Object.keys(set).length === 0);
  const opened = openModel(target);
  const names = opened.files.map((file) => path.basename(file.path));
  opened.close();
  return sets.some((set) => names.every((name) => found[name] === set[name]));
}

interface Scenario {
  readonly name: string;
  readonly source: string;
  readonly target: string;
  readonly isOver: boolean;
}

const sources = [
  ['single', writeSingle(path.join(work, 'single')), 'out.onnx'],
  ['external data', writeExternalModel(work, 'external'), 'out.onnx'],
  ['sharded', writeSharded(path.join(work, 'sharded')), 'out.safetensors.index.json'],
] as const;
const scenarios = sources.flatMap(([kind, source, target]): Scenario[] =>
  [false, true].map((isOver) => ({
    name: `${kind}, ${isOver ? 'over an old export' : 'new'}`,
    source,
    target,
    isOver,
  })),
);

/** @returns what went wrong, in words */
function killOnce(
  { source, target }: Scenario,
  oldFolder: string,
  made: Digests,
  at: number,
): string[] {
  const [old, before] = [digests(oldFolder), digests(path.dirname(source))];
  const folder = path.join(work, 'killed');
  fs.cpSync(oldFolder, folder, { recursive: true });
  exportKilledAt(source, path.join(folder, target), 'int8', at);
  const problems: string[] = [];
  if (!isEqual(digests(path.dirname(source)), before)) problems.push('changed the source');
  if (!isWhole(path.join(folder, target), [old, made])) problems.push('left a mixed set');
  recoverFolder(folder);
  const after = digests(folder);
  if (!isEqual(after, old) && !isEqual(after, made))
    problems.push(`left ${Object.keys(after).join(', ')} after recovery`);
  fs.rmSync(folder, { recursive: true });
  return problems;
}

let [done, failures] = [0, 0];
for (const [at, scenario] of scenarios.entries()) {
  const { name, source, target, isOver } = scenario;
  const [oldFolder, newFolder] = [path.join(work, `old-${at}`), path.join(work, `new-${at}`)];
  fs.mkdirSync(oldFolder);
  if (isOver) exportKilledAt(source, path.join(oldFolder, target), 'float16', 0);
  fs.cpSync(oldFolder, newFolder, { recursive: true });
  const steps = exportKilledAt(source, path.join(newFolder, target), 'int8', 0);
  const made = digests(newFolder);
  // As even as whole numbers are.
  const rounds =
    Math.floor((Number(kills) * (at + 1)) / scenarios.length) -
    Math.floor((Number(kills) * at) / scenarios.length);
  for (let round = 0; round < rounds; round++) {
    const step = 1 + Math.floor((round * steps) / rounds);
    for (const problem of killOnce(scenario, oldFolder, made, step)) {
      failures++;
      console.error(`${name}, killed before change ${step} of ${steps}: ${problem}`);
    }
    done++;
  }
  console.log(`${name}: ${rounds} kills over ${steps} changes`);
}
fs.rmSync(work, { recursive: true });
console.log(`${done} kills, ${failures} failures`);
process.exitCode = failures === 0 ? 0 : 1;
