// npm run bench:budget [-- MODEL...]: plans mixes of schemes for six real models by what their outputs lose and by the error of their
// weights, in files of the same bytes, and measures the SQNR of the outputs on inputs that no plan has seen.
import { spawnSync } from 'node:child_process';
import { mkdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { ensureData, fail, folder, REAL_MODELS, wantedModels } from './accuracy-data.mjs';
import { ensureBuilt } from './freshness.mjs';
import { ensureModels } from './models.mjs';
import { root } from './paths.mjs';

/** The bytes that a file may have, as shares of the original's. */
const SHARES = [0.2, 0.3, 0.4];

/** What the command line prints as JSON; a plan that meets no goal ends with status 1 and prints, too. */
function quantscope(args) {
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [path.join(root, 'dist/cli.js'), ...args, '--json'],
    { encoding: 'utf8', maxBuffer: 1 << 28 },
  );
  if (stdout === '') fail(`quantscope ${args[0]}: ${stderr.trim().split('\n').at(-1)}`);
  return JSON.parse(stdout);
}

/** Noise over signal, the mean over the outputs, in dB; null where the outputs are equal. */
function meanDecibels(outputs) {
  const noises = outputs.map(({ sqnrDb }) =>
    typeof sqnrDb === 'number' ? 10 ** (-sqnrDb / 10) : 0,
  );
  const mean = noises.reduce((sum, each) => sum + each, 0) / noises.length;
  return mean === 0 ? null : -10 * Math.log10(mean);
}

/** One plan: its bytes, and its outputs on the samples that it was made with and on others. */
function planned(name, by, share) {
  const [model, data] = ensureData(name);
  const out = path.join(folder, 'budget', name);
  mkdirSync(out, { recursive: true });
  const recipe = path.join(out, `${by}-${share}.json`);
  const limit = Math.floor(statSync(model).size * share);
  const inputs = by === 'outputs' ? ['--inputs', path.join(data, 'calibration')] : [];
  const plan = quantscope(
    ['plan', model, '--recipe', 'int8', '--mode', 'qdq', '--max-bytes', String(limit)]
      .concat(['--by', by, ...inputs])
      .concat(['--out', recipe]),
  );
  if (!plan.meets) return null;
  const file = path.join(out, `${by}-${share}.onnx`);
  quantscope(
    ['export', model, '--recipe', recipe, '--mode', 'qdq', '--out', file].concat('--overwrite'),
  );
  const on = (samples) =>
    meanDecibels(quantscope(['verify', model, file, '--inputs', path.join(data, samples)]).outputs);
  return { bytes: statSync(file).size, seen: on('calibration'), unseen: on('evaluation') };
}

const decibels = (db) => (db === null ? 'exact' : `${db.toFixed(1)} dB`);
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(2)} MB`;

const names = wantedModels(REAL_MODELS, process.argv.slice(2));
ensureBuilt();
ensureModels();
console.log('| model | limit | by weights | by outputs | gain | on the samples of the plan |');
console.log('|---|---|---|---|---|---|');
for (const name of names)
  for (const share of SHARES) {
    const [weights, outputs] = ['weights', 'outputs'].map((by) => planned(name, by, share));
    if (weights === null || outputs === null) continue;
    const gain =
      weights.unseen === null || outputs.unseen === null ? 0 : outputs.unseen - weights.unseen;
    const cells = [
      name,
      `${share * 100} %`,
      `${decibels(weights.unseen)}, ${megabytes(weights.bytes)}`,
      `${decibels(outputs.unseen)}, ${megabytes(outputs.bytes)}`,
      `${gain.toFixed(1)} dB`,
      `${decibels(weights.seen)}, ${decibels(outputs.seen)}`,
    ];
    console.log(`| ${cells.join(' | ')} |`);
  }
