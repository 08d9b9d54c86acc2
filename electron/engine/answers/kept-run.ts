import * as path from 'node:path';
import type {
  AnswerKind,
  BoxOrder,
  OutputAnswer,
  SampleAnswers,
  TotalAgreement,
} from '../../../shared/answers.ts';
import { AppError } from '../../../shared/errors.ts';
import type { RuntimeName } from '../../../shared/formats.ts';
import { throwIfAborted } from '../cancel.ts';
import { OutputTally } from '../runtime/compare.ts';
import type { OutputValue } from '../runtime/runnable.ts';
import { guessKind, mayBeTokens } from './guess.ts';
import { readKept, type KeptSample } from './kept-outputs.ts';
import { textAnswer } from './kinds/text.ts';
import { NamesBeside, versionOf, type NamesFile, type TokenizerFile } from './names-beside.ts';
import type { Numbered, Reading, Sides } from './read.ts';
import { READERS } from './readers.ts';

/** What an output is to be shown as; null is guessed or found beside the model. */
export interface Wanted {
  /** null for every output. */
  readonly output: string | null;
  readonly kind: AnswerKind | null;
  readonly namesFile: string | null;
  readonly order: BoxOrder | null;
}

/** How one output is shown, the same in every sample. */
interface Way {
  readonly kind: AnswerKind;
  readonly isGuess: boolean;
  readonly names: NamesFile | null;
  readonly tokenizer: TokenizerFile | null;
  readonly order: BoxOrder | null;
}

type Ways = ReadonlyMap<string, Way>;
type Both = { readonly before: OutputValue; readonly after: OutputValue };

export interface KeptFacts {
  readonly folder: string;
  /** How many samples are kept. */
  readonly count: number;
  readonly runtime: RuntimeName;
  /** The file of the original. */
  readonly model: string;
}

/** The outputs of a run that were kept, shown as whatever a person chooses. */
export class KeptRun {
  private readonly facts: KeptFacts;
  private readonly beside: NamesBeside;
  private decided: { readonly key: string; readonly ways: Ways } | null = null;

  constructor(facts: KeptFacts) {
    this.facts = facts;
    this.beside = new NamesBeside(facts.model);
  }

  get count(): number {
    return this.facts.count;
  }

  /** The answers of one sample. @throws AppError for a names file that was chosen and cannot be read */
  async sample(
    index: number,
    wanted: readonly Wanted[],
    detail: Detail = WHOLE,
  ): Promise<SampleAnswers> {
    this.assertKept(index);
    const ways = await this.ways(wanted);
    const kept = await readKept(this.facts.folder, index);
    return {
      sample: index,
      kept: this.count,
      file: kept.file,
      input: kept.input,
      outputs: [...kept.outputs].map(([name, both]) => this.answer(name, both, kept, ways, detail)),
    };
  }

  /** How each output agrees over all samples that are kept. */
  async totals(wanted: readonly Wanted[], signal: AbortSignal): Promise<readonly TotalAgreement[]> {
    const ways = await this.ways(wanted);
    const totals = new Map<string, TotalAgreement>();
    for (let index = 0; index < this.count; index++) {
      throwIfAborted(signal);
      const kept = await readKept(this.facts.folder, index);
      for (const [name, both] of kept.outputs) {
        const answer = this.answer(name, both, kept, ways, COUNTED);
        totals.set(name, added(totals.get(name), answer));
      }
    }
    return [...totals.values()];
  }

  private assertKept(index: number): void {
    if (index < this.count) return;
    throw new AppError('BAD_USAGE', 'the sample has no outputs to show', {
      field: 'sample',
      found: String(index),
      expected: `at most ${this.count - 1}`,
    });
  }

  /** Decided by the first sample, so that all samples are counted alike; and once, as long as no chosen file changes. */
  private async ways(wanted: readonly Wanted[]): Promise<Ways> {
    const versions = wanted.map(({ namesFile }) => namesFile !== null && versionOf(namesFile));
    const key = JSON.stringify([wanted, versions]);
    if (this.decided?.key !== key) this.decided = { key, ways: await this.decide(wanted) };
    return this.decided.ways;
  }

  private async decide(wanted: readonly Wanted[]): Promise<Ways> {
    const first = await readKept(this.facts.folder, 0);
    const ways = new Map<string, Way>();
    for (const [name, { before }] of first.outputs) {
      const chosen = wanted.find(({ output }) => output === null || output === name);
      ways.set(name, this.way(name, before, chosen ?? null, first));
    }
    return ways;
  }

  private way(name: string, value: OutputValue, chosen: Wanted | null, kept: KeptSample): Way {
    const order = chosen?.order ?? null;
    if (value.isText) return { ...TEXT, order };
    const files = { ...this.files(value as Numbered, chosen), order };
    const asked = chosen?.kind ?? null;
    const kind = asked ?? guessKind(name, value as Numbered, this.reading(kept, files));
    return { ...files, kind, isGuess: asked === null };
  }

  /** The files that were chosen or that lie beside the model. */
  private files(value: Numbered, chosen: Wanted | null): Pick<Way, 'names' | 'tokenizer'> {
    const file = chosen?.namesFile ?? null;
    if (file === null) {
      const names = this.beside.find((count) => fits(count, value));
      return { names, tokenizer: mayBeTokens(value) ? this.beside.findTokenizer() : null };
    }
    const isTokenizer =
      chosen?.kind === 'tokens' || (chosen?.kind === null && /tokenizer[^/\\]*\.json$/i.test(file));
    return isTokenizer
      ? { names: null, tokenizer: this.beside.openTokenizer(file) }
      : { names: this.beside.open(file), tokenizer: null };
  }

  private reading(
    kept: KeptSample,
    { names, tokenizer, order }: Pick<Way, 'names' | 'tokenizer' | 'order'>,
  ): Reading {
    return {
      runtime: this.facts.runtime,
      names: names?.names ?? null,
      vocabulary: tokenizer?.vocabulary ?? null,
      input: kept.input?.kind === 'picture' ? kept.input : null,
      order,
      outputs: kept.outputs,
    };
  }

  private answer(
    name: string,
    { before, after }: Both,
    kept: KeptSample,
    ways: Ways,
    detail: Detail,
  ): OutputAnswer {
    const way = ways.get(name)!;
    const { kind, isGuess } = way;
    const common = { name, shape: before.dims, kind, isGuess };
    const none = { answer: null, agreement: null, sqnrDb: null, names: null };
    if (before.isText !== after.isText || before.dims.join() !== after.dims.join())
      return { ...common, ...none, note: 'The shapes of the outputs differ.' };
    if (before.isText) {
      const read = textAnswer('tokens', textsOf(before), textsOf(after));
      return { ...common, ...none, ...read, note: null };
    }
    const sides = { name, before: before as Numbered, after: after as Numbered };
    const reading = this.reading(kept, way);
    const refusal = READERS[kind].refusal(sides.before, reading);
    const isNumbers = refusal !== null || (!detail.isDrawn && DRAWN.has(kind));
    const read = READERS[isNumbers ? 'numbers' : kind].read(sides, reading);
    return {
      ...common,
      ...read,
      sqnrDb: detail.hasSqnr ? sqnrOf(sides) : null,
      names: usedFile(way),
      note: refusal,
    };
  }
}

function sqnrOf({ name, before, after }: Sides): number | null {
  const tally = new OutputTally(name);
  tally.add(before.data, after.data, before.dims);
  return tally.result().sqnrDb;
}

/** How much of an answer is worked out. */
export interface Detail {
  readonly hasSqnr: boolean;
  /** Pictures and waveforms are drawn; else they are numbers. */
  readonly isDrawn: boolean;
}
const WHOLE: Detail = { hasSqnr: true, isDrawn: true };
/** For what agrees alone. */
const COUNTED: Detail = { hasSqnr: false, isDrawn: false };
/** For text and --json. */
export const IN_WORDS: Detail = { hasSqnr: true, isDrawn: false };

const DRAWN: ReadonlySet<AnswerKind> = new Set(['picture', 'wave']);

/** Of outputs that are text already. */
const TEXT = { kind: 'tokens', isGuess: true, names: null, tokenizer: null } as const;

/** The base name of the file that a kind reads. */
function usedFile({ kind, names, tokenizer }: Way): string | null {
  const used = kind === 'tokens' ? tokenizer : READS_NAMES.has(kind) ? names : null;
  return used === null ? null : path.basename(used.file);
}

const READS_NAMES: ReadonlySet<AnswerKind> = new Set(['scores', 'mask', 'boxes', 'ctc']);

function textsOf({ data }: OutputValue): string[] {
  return Array.from({ length: data.length }, (_, at) => String(data[at]));
}

/** Whether a file of so many names may be for the classes of an output: see labelOf and alphabetFor. */
function fits(count: number, { dims }: Numbered): boolean {
  const sizes = [dims.at(-1), dims.length > 2 ? dims[1] : undefined];
  const isNear = (size: number | undefined, ...offsets: readonly number[]): boolean =>
    size !== undefined && size > 1 && offsets.includes(count - size);
  if (sizes.some((size) => isNear(size, 0, -1))) return true;
  // A dictionary lacks the blank and the space; a list of labels may have the background.
  return dims.length === 3
    ? isNear(dims[2], -2) || sizes.some((size) => isNear(size, -4, -5))
    : isNear(dims.at(-1), 1);
}

/** A total with one more sample. */
export function added(
  total: TotalAgreement | undefined,
  { name, kind, agreement }: OutputAnswer,
): TotalAgreement {
  const {
    samples,
    sameSamples,
    agreement: before,
  } = total ?? { samples: 0, sameSamples: 0, agreement: null };
  const sum =
    agreement === null
      ? before
      : {
          wrong: agreement.wrong + (before?.wrong ?? 0),
          of: agreement.of + (before?.of ?? 0),
          unit: agreement.unit,
        };
  return {
    output: name,
    kind,
    agreement: sum,
    sameSamples: sameSamples + (agreement?.wrong === 0 ? 1 : 0),
    samples: samples + 1,
  };
}
