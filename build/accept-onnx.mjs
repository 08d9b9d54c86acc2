// npm run accept:onnx: every real model in every mode, through the built command line: what it
// weighs, whether it loads, how its outputs differ, beside what onnxruntime's quantize_dynamic does
// (test/reference/quantize-dynamic.json). Fails when an export is larger than its source, does not
// load, or, where the schemes are the same, is over 0.5 dB worse than the reference.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ensureBuilt } from './freshness.mjs';
import { ensureModels } from './models.mjs';
import { root } from './paths.mjs';

const RUNS = [
  { mode: 'qdq', recipe: 'int8' },
  { mode: 'qdq', recipe: 'uint8' },
  { mode: 'qdq', recipe: 'float16' },
  { mode: 'qdq', recipe: 'bfloat16' },
  { mode: 'float16', recipe: 'float16' },
  { mode: 'qdq', recipe: 'int16' },
  { mode: 'qdq', recipe: 'int4-block32' },
  { mode: 'nbits', recipe: 'int4-block32' },
  { mode: 'dynamic', recipe: 'int8' },
  { mode: 'dynamic', recipe: 'ort-dynamic' },
];

function quantscope(...args) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [path.join(root, 'dist/cli.js'), ...args, '--json'],
    { encoding: 'utf8' },
  );
  return status === 0 ? JSON.parse(stdout) : { error: JSON.parse(stderr).error.message };
}

const decibels = (value) =>
  value === null ? '-' : value === Infinity ? 'exact' : value.toFixed(1);
const worst = (outputs) => Math.min(...outputs.map((output) => output.sqnrDb ?? -Infinity));

ensureBuilt();
ensureModels();
const models = JSON.parse(readFileSync(path.join(root, 'test/reference/real-models.json'), 'utf8'));
const reference = JSON.parse(
  readFileSync(path.join(root, 'test/reference/quantize-dynamic.json'), 'utf8'),
);
const folder = mkdtempSync(path.join(tmpdir(), 'quantscope-accept-'));
const problems = [];
console.log('| model | mode | recipe | size | loads | SQNR dB | cosine | time |');
console.log('|---|---|---|---|---|---|---|---|');
for (const [name, file] of Object.entries(models)) {
  const source = path.join(root, file);
  for (const { mode, recipe } of RUNS) {
    const out = path.join(folder, 'out.onnx');
    const wanted = ['--recipe', recipe, '--mode', mode, '--out', out, '--allow-unchanged'];
    const made = quantscope('export', source, ...wanted);
    const verified = made.error === undefined ? quantscope('verify', source, out) : made;
    if (verified.error !== undefined) {
      problems.push(`${name}, ${mode} ${recipe}: ${verified.error}`);
      console.log(`| ${name} | ${mode} | ${recipe} | - | no | - | - | - |`);
      continue;
    }
    const ratio = made.bytesAfter / made.bytesBefore;
    if (ratio > 1) problems.push(`${name}, ${mode} ${recipe}: larger than its source`);
    const theirs = reference.models[name];
    // A reference that came out no smaller quantized nothing.
    const isSame = mode === 'dynamic' && recipe === 'ort-dynamic' && theirs.ratio < 1;
    if (isSame)
      for (const output of verified.outputs) {
        const other = theirs.outputs[output.name]?.sqnrDb;
        if (typeof other === 'number' && output.sqnrDb < other - 0.5)
          problems.push(
            `${name}, ${output.name}: ${decibels(output.sqnrDb)} dB, the reference ${decibels(other)} dB`,
          );
      }
    const cosine = Math.min(...verified.outputs.map((output) => output.cosine ?? NaN));
    console.log(
      `| ${name} | ${mode} | ${recipe} | ${ratio.toFixed(3)} | yes | ${decibels(worst(verified.outputs))} | ${cosine.toFixed(5)} | ${(verified.msAfter / verified.msBefore).toFixed(2)} |`,
    );
  }
  const theirs = reference.models[name];
  console.log(
    theirs.error === undefined
      ? `| ${name} | | quantize_dynamic | ${theirs.ratio.toFixed(3)} | yes | ${decibels(worst(Object.values(theirs.outputs)))} | ${Math.min(...Object.values(theirs.outputs).map((output) => output.cosine ?? NaN)).toFixed(5)} | |`
      : `| ${name} | | quantize_dynamic | - | ${theirs.error.replaceAll('|', '/').slice(0, 60)} | - | - | |`,
  );
}
rmSync(folder, { recursive: true, force: true });
for (const problem of problems) console.error(problem);
console.log(
  `\n${Object.keys(models).length * RUNS.length - problems.length} of ${Object.keys(models).length * RUNS.length} as they must be`,
);
process.exitCode = problems.length === 0 ? 0 : 1;
