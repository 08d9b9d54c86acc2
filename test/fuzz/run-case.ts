import * as crypto from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { AppError, type ErrorCode } from '../../shared/errors.ts';
import type { WorkerPool } from '../../electron/engine/pool.ts';
import { mutateBytes, Random } from './mutate.ts';
import { OUTSIDE } from './outside.ts';
import { OUT, type Target } from './targets.ts';

const MEBIBYTE = 1 << 20;

/** What a file of up to a mebibyte may take: milliseconds of processor time, and bytes of memory beside four times its size. */
export interface Limits {
  readonly time: number;
  readonly memory: number;
}

const LIMITS: Limits = { time: 2000, memory: 256 * MEBIBYTE };

/** A case that waits takes no processor time: it may last this many times as long, as other work on the machine takes some. */
const PATIENCE = 5;

/** What a case took: milliseconds of processor time of all threads, and the most bytes of memory that its process had until then. */
export interface Cost {
  readonly time: number;
  readonly memory: number;
}

export type Outcome = (
  | { readonly kind: 'opened' | 'refused' }
  /** What was wrong, and whether another try in a process of its own is to decide. */
  | { readonly kind: 'failed'; readonly what: string; readonly again: boolean }
) & { readonly cost: Cost };

/** Codes that a bad file is refused with; others say that something else went wrong. */
const REFUSALS: ReadonlySet<ErrorCode> = new Set([
  'BAD_RECIPE',
  'BAD_USAGE',
  'EMPTY_FILE',
  'UNKNOWN_FORMAT',
  'MALFORMED',
  'LIMIT',
  'UNSUPPORTED',
  'EXTERNAL_DATA',
  'NOT_A_FILE',
  'NON_FINITE',
]);

/** One mutated file in a folder of its own: written, exercised, and all that must hold held against it. */
export async function runCase(
  target: Target,
  seed: number,
  round: number,
  folder: string,
  pool: WorkerPool,
  changes: Partial<Limits> = {},
): Promise<Outcome> {
  const limits = { ...LIMITS, time: target.time ?? LIMITS.time, ...changes };
  const { files, opened } = mutatedFiles(target, seed, round);
  emptyFolder(folder);
  for (const [name, bytes] of Object.entries(files))
    fs.writeFileSync(path.join(folder, name), bytes);
  const before = digests(folder, Object.keys(files));
  const started = performance.now();
  const usage = process.cpuUsage();
  let refusal: unknown;
  try {
    await target.exercise(path.join(folder, opened), new Random(seed + 1, round), pool);
  } catch (error) {
    refusal = error ?? new Error('nothing was thrown');
  }
  const { user, system } = process.cpuUsage(usage);
  const cost = { time: (user + system) / 1000, memory: memoryPeak() };
  const waited = (performance.now() - started) / PATIENCE;
  const failed = (what: string, again = false): Outcome => ({ kind: 'failed', what, again, cost });
  const outside = path.join(folder, OUTSIDE);
  if (fs.existsSync(outside)) return failed(`outside: ${fs.readFileSync(outside, 'utf8').trim()}`);
  const wrong = wrongIn(refusal);
  if (wrong !== null) return failed(wrong);
  const size = Math.max(...Object.values(files).map((bytes) => bytes.length));
  if (Math.max(cost.time, waited) > limits.time * Math.max(1, size / MEBIBYTE))
    return failed(`took over ${limits.time} ms`, true);
  if (cost.memory > limits.memory + 4 * size)
    return failed(`took over ${limits.memory} bytes and 4 times the file`, true);
  const left = fs.readdirSync(path.join(folder, OUT)).filter((name) => name.includes('.tmp'));
  if (left.length > 0) return failed('left a temporary file');
  const there = fs.readdirSync(folder).filter((name) => name !== OUT);
  if (there.length !== Object.keys(files).length) return failed(`left ${there.join(', ')}`);
  if (digests(folder, Object.keys(files)) !== before) return failed('changed a source');
  return { kind: refusal === undefined ? 'opened' : 'refused', cost };
}

/** Of this many files one is amplified. */
const AMPLIFIED = 8;

/** The files of a case: one in eight stands for much, two in three of the others are changed by what the bytes mean, the rest blindly. */
export function mutatedFiles(
  target: Target,
  seed: number,
  round: number,
): { files: Readonly<Record<string, Uint8Array>>; opened: string } {
  const random = new Random(seed, round);
  const from = random.pick(target.seeds);
  const source = from.files[from.mutated]!;
  const other = random.pick(target.seeds);
  const bytes =
    target.amplify !== undefined && random.oneIn(AMPLIFIED)
      ? target.amplify(from, random)
      : random.below(3) < 2
        ? target.mutate(from, random)
        : mutateBytes(source, other.files[other.mutated]!, random);
  return { files: { ...from.files, [from.mutated]: bytes }, opened: from.opened ?? from.mutated };
}

/** What is wrong with how a file was refused; null where it was not, or rightly. */
function wrongIn(error: unknown): string | null {
  if (error === undefined) return null;
  if (!(error instanceof AppError)) {
    const text = (error instanceof Error && error.stack) || 'something thrown that is no error';
    return `not an AppError: ${text.split('\n').slice(0, 4).join(' ')}`;
  }
  const { code, message, details } = error;
  if (!REFUSALS.has(code)) return `${code}: ${message}`;
  if (/\n|\n {4}at /.test(message)) return `not one sentence: ${message}`;
  // An empty file, and one that is no file, have no field.
  if (code === 'EMPTY_FILE' || code === 'NOT_A_FILE') return null;
  const isPlaced = details.field !== undefined || details.offset !== undefined;
  if (details.file === undefined || !isPlaced) return `names no file or field: ${code}: ${message}`;
  return null;
}

/** The most memory that this process ever had, in bytes. */
function memoryPeak(): number {
  return process.resourceUsage().maxRSS * 1024;
}

/** A folder with an empty one for exports. Folders that are there stay: to remove one takes longer than most cases. */
function emptyFolder(folder: string): void {
  const out = path.join(folder, OUT);
  fs.mkdirSync(out, { recursive: true });
  const left = [folder, out].flatMap((within) =>
    fs.readdirSync(within).map((name) => path.join(within, name)),
  );
  for (const file of left) if (file !== out) fs.rmSync(file, { recursive: true, force: true });
}

function digests(folder: string, names: readonly string[]): string {
  const hash = crypto.createHash('sha256');
  for (const name of names) hash.update(fs.readFileSync(path.join(folder, name)));
  return hash.digest('hex');
}
