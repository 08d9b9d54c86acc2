// npm run bench:accuracy [-- MODEL...]: exports models in 8 and 4 bits, with Quantscope and with onnxruntime's own quantizers, and
// measures task accuracy and output SQNR on inputs that were not used for calibration. What was made is kept in .cache/accuracy.
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import {
  ensureData,
  ensurePython,
  fail,
  folder,
  MODELS,
  python,
  script,
  wantedModels,
} from './accuracy-data.mjs';
import { ensureBuilt } from './freshness.mjs';
import { ensureModels } from './models.mjs';
import { root } from './paths.mjs';
import { run } from './run.mjs';

/** What 4 bits are held against: the same operators as onnxruntime's quantizer takes, and no others. */
function matMuls(scheme) {
  const rule = { dtype: 'int4', symmetric: true, granularity: { block: 32 }, ...scheme };
  const rules = [{ match: { op: 'MatMul' }, scheme: rule }];
  return { version: 1, name: 'accuracy', default: null, minElements: 0, rules };
}

/** As static-int8, without what makes it better: ranges are of all that was observed, and biases are as they were. */
const PLAIN = {
  ...{ version: 1, name: 'accuracy', minElements: 1024, rules: [] },
  default: { dtype: 'int8', symmetric: true, granularity: 'channel', range: 'minmax' },
  activations: { dtype: 'uint8', symmetric: false, range: 'minmax' },
};

/** Recipes by the name of the file that they make: bits, and way. The first of each is rounding to nearest. */
const RECIPES = {
  '8-nearest': ['static', PLAIN],
  '8-static-int8': ['static', 'static-int8'],
  '8-ours': ['static', 'static-int8-best'],
  '4-nearest': ['nbits', matMuls({ range: 'minmax' })],
  '4-nearest, signed scale': ['nbits', matMuls({ signedScale: true })],
  '4-ours': ['nbits', matMuls({ range: 'mse', signedScale: true, algorithm: 'gptq' })],
};

/** Ours are made anew each time: they are what is measured. */
function exportOurs(model, data, out) {
  for (const [name, [mode, recipe]] of Object.entries(RECIPES)) {
    const file = path.join(out, `${name}.onnx`);
    rmSync(file, { force: true });
    let from = recipe;
    if (typeof recipe !== 'string') {
      from = path.join(out, `${name}.json`);
      writeFileSync(from, JSON.stringify(recipe));
    }
    const samples = ['--calibrate', path.join(data, 'calibration')];
    const needs = mode === 'static' || recipe.rules?.[0]?.scheme.algorithm === 'gptq';
    const { status, stderr } = spawnSync(
      process.execPath,
      [path.join(root, 'dist/cli.js'), 'export', model, '--recipe', from, '--mode', mode]
        .concat(needs ? samples : [])
        .concat(['--out', file, '--overwrite']),
      { encoding: 'utf8' },
    );
    if (status === 0) continue;
    const why = stderr.trim().split('\n').at(-1);
    if (!why.includes('would quantize no tensor')) fail(`${name} was not exported: ${why}`);
    console.error(`  ${name}: the recipe quantizes no tensor of this model`);
  }
}

function measured(name) {
  const [model, data] = ensureData(name);
  const out = path.join(folder, 'out', name);
  mkdirSync(out, { recursive: true });
  exportOurs(model, data, out);
  const table = script('accuracy_table.py');
  run(python, [table, 'reference', model, data, out], { stdio: ['ignore', 'ignore', 'inherit'] });
  const args = [table, 'measure', name, model, data, out, path.join(root, 'node_modules')];
  return JSON.parse(
    run(python, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }).stdout,
  );
}

/** Copies with at most this share of our bytes more count as of equal bytes. */
const EQUAL = 1.25;
const better = (a, b) => (b.sqnr ?? Infinity) - (a.sqnr ?? Infinity);

/** The line of a model in 8 or 4 bits; undefined where Quantscope or onnxruntime quantizes nothing. */
function compared(name, rows, bits) {
  const original = rows[0];
  const of = rows.filter((row) => row.bits === bits);
  const [ours, nearest] = ['ours', 'nearest'].map((way) => of.find((row) => row.way === way));
  if (ours === undefined) return undefined;
  const theirs = of.filter(({ way }) => way.startsWith('ref '));
  const equal = theirs.filter(({ bytes }) => bytes <= EQUAL * ours.bytes).sort(better)[0];
  const best = equal ?? theirs.sort((a, b) => a.bytes - b.bytes)[0];
  const first = equal === undefined || ours.sqnr === null || better(ours, equal) < 0;
  return { name, bits, original, nearest, ours, best, first };
}

const figure = (row) =>
  row === undefined
    ? '-'
    : `${row.task.toFixed(3)}, ${row.sqnr?.toFixed(1) ?? 'exact'} dB, ${(row.bytes / 1e6).toFixed(2)} MB`;

function printed(lines) {
  console.log(
    '| model | bits | original | nearest | ours | onnxruntime at its best | its setting |',
  );
  console.log('|---|---|---|---|---|---|---|');
  for (const { name, bits, original, nearest, ours, best, first } of lines) {
    const mark = first ? `**${figure(ours)}**` : figure(ours);
    const setting = best?.way.slice(4) ?? 'quantizes nothing';
    const cells = [
      name,
      bits,
      original.task.toFixed(3),
      figure(nearest),
      mark,
      figure(best),
      setting,
    ];
    console.log(`| ${cells.join(' | ')} |`);
  }
  console.log(
    `\nOurs is first in ${lines.filter(({ first }) => first).length} of ${lines.length} rows.`,
  );
}

const wanted = wantedModels(MODELS, process.argv.slice(2));
ensurePython('npm run bench:accuracy');
ensureBuilt();
ensureModels();
const lines = [];
for (const name of wanted) {
  console.error(name);
  const rows = measured(name);
  writeFileSync(path.join(folder, 'out', name, 'rows.json'), JSON.stringify(rows, undefined, 1));
  lines.push(
    ...[8, 4].map((bits) => compared(name, rows, bits)).filter((line) => line !== undefined),
  );
}
printed(lines);
