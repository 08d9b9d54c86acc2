import type { VerifyResult } from '../../../shared/verification.ts';
import { areScores } from '../answers/kinds/scores.ts';
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
  private rows = 0;
  private agreeing = 0;
  /** Told by the first sample of the original. */
  private isScores: boolean | null = null;
  private readonly nonFinite = { before: 0, after: 0, newNaN: 0, newInfinity: 0 };

  constructor(name: string) {
    this.name = name;
  }

  /** Sums of squares: of the original's values, and of the errors. */
  get power(): { readonly signal: number; readonly noise: number } {
    return { signal: this.signal, noise: this.noise };
  }

  /** Add one sample. Values that are the same in both, infinities and NaN among them, are no error. */
  add(original: ArrayLike<number>, exported: ArrayLike<number>, dims: readonly number[]): void {
    for (let index = 0; index < original.length; index++) {
      const [x, y] = [original[index]!, exported[index]!];
      this.countNonFinite(x, y);
      if (Object.is(x, y) && !Number.isFinite(x)) continue;
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
    if (staysFinite) return;
    this.nonFinite.after++;
    if (Number.isNaN(y)) this.nonFinite.newNaN += Number.isNaN(x) ? 0 : 1;
    else if (isFinite) this.nonFinite.newInfinity++;
  }

  private addRows(original: ArrayLike<number>, exported: ArrayLike<number>, width: number): void {
    for (let start = 0; start + width <= original.length; start += width) {
      this.rows++;
      if (greatest(original, start, width) === greatest(exported, start, width)) this.agreeing++;
    }
  }

  result(): OutputComparison {
    const norm = Math.sqrt(this.signal * this.other);
    const decibels = Number.isFinite(this.noise) ? sqnrDb(this.signal, this.noise) : null;
    return {
      name: this.name,
      sqnrDb: this.signal === 0 && this.noise === 0 ? Infinity : decibels,
      cosine: norm > 0 && Number.isFinite(norm) ? this.dot / norm : null,
      maxAbsError: this.largest,
      top1Agreement: this.rows === 0 ? null : this.agreeing / this.rows,
      nonFinite: this.nonFinite,
    };
  }
}

function greatest(values: ArrayLike<number>, start: number, width: number): number {
  let best = start;
  for (let index = start + 1; index < start + width; index++)
    if (values[index]! > values[best]!) best = index;
  return best - start;
}
