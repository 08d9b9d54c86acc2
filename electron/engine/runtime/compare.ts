import type { VerifyResult } from '../../../shared/verification.ts';
import { areScores } from '../answers/kinds/scores.ts';
import { hasSameGreatest } from '../answers/read.ts';
import { sqnrDb } from '../../../shared/report.ts';

type OutputComparison = Omit<
  VerifyResult['outputs'][number],
  'equalShare' | 'inconclusive' | 'note'
>;

/** Collects the comparison of one output over samples. Sums are in float64. */
export class OutputTally {
  private readonly name: string;
  private signal = 0;
  private noise = 0;
  private dot = 0;
  private other = 0;
  private largest = 0;
  /** Values that the sums are of. */
  private compared = 0;
  private rows = 0;
  private agreeing = 0;
  /** Told by the first sample of the original. */
  private isScores: boolean | null = null;
  private readonly nonFinite = { before: 0, after: 0, newNaN: 0, newInfinity: 0, lost: 0 };

  constructor(name: string) {
    this.name = name;
  }

  /** Sums of squares: of the original's values, and of the errors. */
  get power(): { readonly signal: number; readonly noise: number } {
    return { signal: this.signal, noise: this.noise };
  }

  /** What of the comparison values leave out that are not finite in the original alone, after the name; null for none. */
  get lostNote(): string | null {
    const { lost } = this.nonFinite;
    if (lost === 0) return null;
    const what = `is not finite in ${lost} values of the original alone`;
    if (this.compared === 0) return `${what}, and no other values can be compared`;
    const equal = this.noise === 0 ? ', which are equal' : '';
    return `${what}; the figures are of the other ${this.compared}${equal}`;
  }

  /** Add one sample. Values that are the same in both, infinities and NaN among them, are no error. */
  add(original: ArrayLike<number>, exported: ArrayLike<number>, dims: readonly number[]): void {
    for (let index = 0; index < original.length; index++) {
      const [x, y] = [original[index]!, exported[index]!];
      this.countNonFinite(x, y);
      // What replaces NaN or infinity has no error that could be measured. It is counted as lost.
      if (!Number.isFinite(x) && !isNewNaN(x, y)) continue;
      this.compared++;
      const error = y - x;
      this.signal += x * x;
      this.noise += error * error;
      this.dot += x * y;
      this.other += y * y;
      // Math.max keeps a NaN error: there is none larger.
      this.largest = Math.max(this.largest, Math.abs(error));
    }
    this.isScores ??= areScores(this.name, { dims, data: original });
    if (this.isScores) this.addRows(original, exported, dims[1]!);
  }

  private countNonFinite(x: number, y: number): void {
    const [isFinite, staysFinite] = [Number.isFinite(x), Number.isFinite(y)];
    if (!isFinite) this.nonFinite.before++;
    if (!isFinite && !Object.is(x, y) && !isNewNaN(x, y)) this.nonFinite.lost++;
    if (staysFinite) return;
    this.nonFinite.after++;
    if (Number.isNaN(y)) this.nonFinite.newNaN += isNewNaN(x, y) ? 1 : 0;
    else if (isFinite) this.nonFinite.newInfinity++;
  }

  private addRows(original: ArrayLike<number>, exported: ArrayLike<number>, width: number): void {
    for (let start = 0; start + width <= original.length; start += width) {
      this.rows++;
      if (hasSameGreatest(original, exported, start, width)) this.agreeing++;
    }
  }

  result(): OutputComparison {
    const norm = Math.sqrt(this.signal * this.other);
    const { nonFinite, compared } = this;
    const decibels = Number.isFinite(this.noise) ? sqnrDb(this.signal, this.noise) : null;
    // Of equal values beside lost ones no figure may say "exact".
    const whole = nonFinite.lost > 0 ? null : Infinity;
    return {
      name: this.name,
      sqnrDb: this.noise === 0 ? whole : decibels,
      cosine: norm > 0 && Number.isFinite(norm) ? this.dot / norm : null,
      maxAbsError: compared === 0 && nonFinite.lost > 0 ? NaN : this.largest,
      top1Agreement: this.rows === 0 ? null : this.agreeing / this.rows,
      nonFinite,
    };
  }
}

function isNewNaN(x: number, y: number): boolean {
  return Number.isNaN(y) && !Number.isNaN(x);
}
