// The table of npm run bench: Quantscope's kernels and engine against their peers, in one run.
import { writeFileSync } from 'node:fs';
import * as os from 'node:os';
import { normalValues } from '../helpers/random.ts';
import { gptqRows } from './gptq-rows.ts';
import { kernelRows } from './kernel-rows.ts';
import { table } from './measure.ts';
import { modelRows } from './model-rows.ts';
import { pythonPeer, type KernelPeers } from './peers.ts';

const [, , root, out] = process.argv;
if (root === undefined) throw new Error('run by npm run bench');
const values = normalValues(1 << 24, 1).map((value) => value * 0.05);
const rows = [
  ...(await kernelRows(root, values, pythonPeer<KernelPeers>(root, ['kernels']))),
  ...(await gptqRows(root, values)),
  ...(await modelRows(root, values)),
];
const cpu = os.cpus()[0]?.model ?? 'unknown processor';
const text = `${table(rows)}\n\n${cpu}, ${os.cpus().length} cores, Node ${process.versions.node}\n`;
console.log(text);
if (out !== undefined) writeFileSync(out, text);
if (rows.some((row) => row.reached === false)) process.exitCode = 1;
