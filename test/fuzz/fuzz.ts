// npm run fuzz: seeded mutations of every format, run in processes that are watched from here.
import { fork } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { parseArgs } from 'node:util';
import { mutatedFiles, type Cost, type Outcome } from './run-case.ts';
import { TARGETS, targetOf } from './targets.ts';

/** Cases that one process takes: memory that is given back late must not add up. */
const SPAN = 500;
interface Finding {
  readonly round: number;
  readonly what: string;
}

interface Tally {
  opened: number;
  refused: number;
  readonly findings: Finding[];
  /** The slowest case, and the most memory of any process. */
  worst: Cost;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '30000' },
    seed: { type: 'string', default: '1' },
    from: { type: 'string', default: '0' },
    // A case that says nothing for so long, in milliseconds, hangs.
    silence: { type: 'string', default: '15000' },
    keep: { type: 'string', default: '' },
  },
});
const [root, ...named] = positionals;
const seed = Number(values.seed);

/** Run a span of cases in a process; the first round that it did not do, and why where it did not end well. */
function runSpan(
  format: string,
  from: number,
  to: number,
  folder: string,
  settle: (round: number, outcome: Outcome) => void,
): Promise<{ next: number; died: string | null }> {
  return new Promise((resolve) => {
    const script = path.join(import.meta.dirname, 'child.mjs');
    const child = fork(script, [format, String(seed), String(from), String(to), folder], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      execArgv: ['--import', path.join(import.meta.dirname, 'watch-files.mjs')],
      env: {
        ...process.env,
        QUANTSCOPE_FUZZ_READ: [root, '/proc', '/sys'].join(path.delimiter),
        QUANTSCOPE_FUZZ_WRITE: folder,
      },
    });
    let next = from;
    let said = '';
    let hung = false;
    const alarm = setTimeout(() => {
      hung = true;
      child.kill('SIGKILL');
    }, Number(values.silence));
    child.stderr!.on('data', (data) => (said += String(data)));
    child.on('message', ({ round, outcome }: { round: number; outcome: Outcome }) => {
      alarm.refresh();
      next = round + 1;
      settle(round, outcome);
    });
    child.on('close', (status, signal) => {
      clearTimeout(alarm);
      const how = hung
        ? 'hung'
        : status === 0 && said === ''
          ? null
          : `ended with ${signal ?? status}`;
      resolve({ next, died: how === null ? null : `${how} ${said.slice(0, 600).trim()}` });
    });
  });
}

function addCost(tally: Tally, { time, memory }: Cost): void {
  const { worst } = tally;
  tally.worst = { time: Math.max(time, worst.time), memory: Math.max(memory, worst.memory) };
}

/** A case by itself: what a process that had run others was blamed for. */
async function runAlone(
  format: string,
  round: number,
  folder: string,
  tally: Tally,
): Promise<string | null> {
  let what: string | null = null;
  const { died } = await runSpan(format, round, round + 1, folder, (_, outcome) => {
    addCost(tally, outcome.cost);
    if (outcome.kind === 'failed') what = outcome.what;
    else tally[outcome.kind]++;
  });
  return what ?? died;
}

async function runLane(
  format: string,
  spans: Iterator<number>,
  end: number,
  folder: string,
  tally: Tally,
): Promise<void> {
  const again: number[] = [];
  for (let span = spans.next(); span.done !== true; span = spans.next()) {
    const to = Math.min(end, span.value + SPAN);
    for (let from = span.value; from < to;) {
      const { next, died } = await runSpan(format, from, to, folder, (round, outcome) => {
        if (outcome.kind === 'failed' && outcome.again) {
          again.push(round);
          return;
        }
        addCost(tally, outcome.cost);
        if (outcome.kind !== 'failed') tally[outcome.kind]++;
        else tally.findings.push({ round, what: outcome.what });
      });
      if (died !== null) tally.findings.push({ round: Math.min(next, to - 1), what: died });
      from = died === null ? next : next + 1;
    }
  }
  for (const round of again) {
    const what = await runAlone(format, round, folder, tally);
    if (what !== null) tally.findings.push({ round, what });
  }
}

async function runFormat(format: string): Promise<Tally> {
  const [first, end] = [Number(values.from), Number(values.from) + Number(values.rounds)];
  const tally: Tally = { opened: 0, refused: 0, findings: [], worst: { time: 0, memory: 0 } };
  const spans = (function* () {
    for (let from = first; from < end; from += SPAN) yield from;
  })();
  const work = fs.mkdtempSync(path.join(os.tmpdir(), 'quantscope-fuzz-'));
  try {
    const lanes = Array.from({ length: os.cpus().length }, (_, lane) =>
      runLane(format, spans, end, path.join(work, String(lane)), tally),
    );
    await Promise.all(lanes);
  } finally {
    fs.rmSync(work, { recursive: true, force: true });
  }
  return tally;
}

/** Print each kind of finding once, and keep the files of its first case. */
function report(format: string, { findings }: Tally): void {
  const kinds = new Map<string, Finding[]>();
  for (const finding of findings) {
    const kind = finding.what.replace(/ \S*\/[^:]*:/, ' …:').replace(/\(found .*|\d+/gs, '#');
    kinds.set(kind, [...(kinds.get(kind) ?? []), finding]);
  }
  for (const group of kinds.values()) {
    const { round, what } = group[0]!;
    console.error(`${format}, round ${round}, ${group.length} in all: ${what}`);
    if (values.keep === '') continue;
    const kept = path.join(values.keep, `${format}-${seed}-${round}`);
    fs.mkdirSync(kept, { recursive: true });
    for (const [name, bytes] of Object.entries(mutatedFiles(targetOf(format), seed, round).files))
      fs.writeFileSync(path.join(kept, name), bytes);
  }
}

console.log(
  '| format | mutations | opened | refused | findings | worst time | worst memory | seconds |',
);
console.log('|---|---|---|---|---|---|---|---|');
for (const format of named.length > 0 ? named : TARGETS) {
  const started = performance.now();
  const tally = await runFormat(format);
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  const worst = `${tally.worst.time.toFixed(0)} ms | ${(tally.worst.memory / 1e6).toFixed(0)} MB`;
  console.log(
    `| ${format} | ${values.rounds} | ${tally.opened} | ${tally.refused} | ${tally.findings.length} | ${worst} | ${seconds} |`,
  );
  report(format, tally);
  if (tally.findings.length > 0) process.exitCode = 1;
}
