import type { VerifyResult } from '../../../shared/verification.ts';
import { OutputTally } from './compare.ts';
import type { OutputValue } from './runnable.ts';

type OutputResult = VerifyResult['outputs'][number];

/** Compares one output over all samples, and notes why a figure says nothing where it does. */
export class OutputCheck {
  /** Its values are magnitudes. */
  readonly isFloat: boolean;
  private readonly name: string;
  private readonly tally: OutputTally;
  private readonly variation = new Variation();
  private compared = 0;
  private skipped = 0;
  /** Why samples were skipped: the first reason. */
  private reason: string | null = null;
  /** Values that are equal, of text and of integers. */
  private readonly whole = { of: 0, equal: 0 };
  private isText = false;
  /** The original's own outputs differ from run to run. */
  isUnstable = false;

  /** @param reason why the output cannot be compared in any sample */
  constructor(name: string, isFloat = true, reason: string | null = null) {
    this.name = name;
    this.isFloat = isFloat;
    this.tally = new OutputTally(name);
    this.reason = reason;
  }

  get isCompared(): boolean {
    return this.compared > 0;
  }

  /** Sums of squares over the samples so far: of the original's values, and of the errors. */
  get power(): { readonly signal: number; readonly noise: number } {
    return this.tally.power;
  }

  /** Why nothing was compared, after "the output". */
  get problem(): string | null {
    return this.isCompared ? null : this.reason;
  }

  /** Hold two runs of the original on the same input against each other. */
  checkStable(first: OutputValue | undefined, second: OutputValue | undefined): void {
    if (first !== undefined && second !== undefined) this.isUnstable ||= !areEqual(first, second);
  }

  /** Add one sample. */
  add(original: OutputValue | undefined, exported: OutputValue | undefined): void {
    const reason = mismatch(original, exported);
    if (reason !== null || original === undefined || exported === undefined) {
      this.skipped++;
      this.reason ??= reason;
      return;
    }
    this.compared++;
    this.variation.add(original);
    this.isText = original.isText;
    if (original.isText || !this.isFloat) this.countEqual(original, exported);
    if (!original.isText)
      this.tally.add(
        original.data as ArrayLike<number>,
        exported.data as ArrayLike<number>,
        original.dims,
      );
  }

  private countEqual(original: OutputValue, exported: OutputValue): void {
    this.whole.of += original.data.length;
    for (let index = 0; index < original.data.length; index++)
      if (original.data[index] === exported.data[index]) this.whole.equal++;
  }

  /** @param random what draws random numbers in the model */
  result(random: readonly string[]): OutputResult {
    if (!this.isCompared)
      return {
        name: this.name,
        ...NO_FIGURES,
        inconclusive: true,
        note: `${this.reason ?? 'has no values'}; not compared`,
      };
    const constant = this.variation.constant;
    const unstable = this.isUnstable ? unstableNote(random) : null;
    const notes = [this.skippedNote(), this.stringNote(), this.tally.lostNote, constant, unstable];
    const figures = this.figures();
    const isExact = figures.sqnrDb === Infinity;
    return {
      ...figures,
      // Equal constants prove nothing, so no figure may say "exact".
      ...((constant ?? unstable) !== null && isExact ? NO_AGREEMENT : {}),
      inconclusive: constant !== null || unstable !== null,
      note: notes.filter((note) => note !== null).join('; ') || null,
    };
  }

  private skippedNote(): string | null {
    if (this.skipped === 0) return null;
    return `${this.reason} in ${this.skipped} of ${this.skipped + this.compared} samples, which were not compared`;
  }

  private stringNote(): string | null {
    const { of, equal } = this.whole;
    return this.isText && of > 0 ? `${equal} of ${of} strings are equal` : null;
  }

  private figures(): Omit<OutputResult, 'inconclusive' | 'note'> {
    const { of, equal } = this.whole;
    const equalShare = of === 0 ? null : equal / of;
    if (this.isText)
      return {
        ...{ name: this.name, ...NO_FIGURES, equalShare },
        sqnrDb: equalShare === 1 ? Infinity : null,
      };
    const figures = this.tally.result();
    // Indices and classes are no scores, whatever their shape.
    return { ...figures, equalShare, top1Agreement: this.isFloat ? figures.top1Agreement : null };
  }
}

const NO_AGREEMENT = { sqnrDb: null, top1Agreement: null, equalShare: null } as const;

const NO_FIGURES = {
  ...NO_AGREEMENT,
  cosine: null,
  maxAbsError: NaN,
  nonFinite: { before: 0, after: 0, newNaN: 0, newInfinity: 0, lost: 0 },
} as const;

function unstableNote(random: readonly string[]): string {
  return random.length > 0
    ? 'depends on random numbers, so it differs from run to run'
    : 'differs from run to run for the same input';
}

/** Why two outputs cannot be compared; null when they can. */
function mismatch(
  original: OutputValue | undefined,
  exported: OutputValue | undefined,
): string | null {
  if (original === undefined) return 'has no value in the original';
  if (exported === undefined) return 'is missing in the export';
  if (original.isText !== exported.isText) return 'is text in one model and numbers in the other';
  if (original.dims.join() === exported.dims.join()) return null;
  return `shapes differ: ${shapeText(original.dims)} and ${shapeText(exported.dims)}`;
}

function shapeText(dims: readonly number[]): string {
  return dims.length === 0 ? 'a scalar' : dims.join(' x ');
}

function areEqual(first: OutputValue, second: OutputValue): boolean {
  if (mismatch(first, second) !== null) return false;
  for (let index = 0; index < first.data.length; index++)
    if (!Object.is(first.data[index], second.data[index])) return false;
  return true;
}

/** Tells whether an output depends on the samples at all. */
class Variation {
  private samples = 0;
  private values = 0;
  private first: OutputValue | null = null;
  private isSame = true;
  private isUniform = true;

  add(value: OutputValue): void {
    this.samples++;
    this.values += value.data.length;
    this.first ??= value;
    if (value !== this.first) this.isSame &&= areEqual(this.first, value);
    const uniform = this.first.data[0];
    for (let index = 0; this.isUniform && index < value.data.length; index++)
      this.isUniform = Object.is(value.data[index], uniform);
  }

  /** In what way the output is constant; null when it varies, or when one value of one sample cannot tell. */
  get constant(): string | null {
    const uniform = this.first?.data[0];
    if (this.values === 0) return 'is empty in every sample, so the comparison is inconclusive';
    if (this.isUniform && uniform === 0)
      return 'is zero in every sample, so the comparison is inconclusive';
    if (this.isUniform && this.values > 1)
      return `is ${typeof uniform === 'string' ? JSON.stringify(uniform) : uniform} everywhere in every sample, so the comparison is inconclusive`;
    if (this.isSame && this.samples > 1)
      return 'is the same in every sample, so the comparison is inconclusive';
    return null;
  }
}
