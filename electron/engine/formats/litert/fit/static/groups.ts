import type { ScaleZeroPoint } from '../../../../../../shared/affine.ts';
import type { Operand } from '../../../../../../shared/graph.ts';

type Place = Exclude<Operand, null>;

/** Values, and constants among them, that have one scale and zero point. */
export interface Group {
  readonly values: readonly number[];
  readonly tensors: readonly number[];
  /** Parameters that an operator's kernel prescribes, or that a stored table has; null where ranges give them. */
  readonly fixed: ScaleZeroPoint | null;
  /** Whether an operator that takes one of them wants zero point 0. */
  readonly isCentred: boolean;
}

interface GrowingGroup extends Group {
  readonly values: number[];
  readonly tensors: number[];
  fixed: ScaleZeroPoint | null;
  isCentred: boolean;
}

/** Which values must share their parameters, as operators hand codes on. */
export class Groups {
  private readonly parents = new Map<string, string>();
  private readonly groups = new Map<string, GrowingGroup>();

  of(place: Place): Group {
    return this.groups.get(this.root(place))!;
  }

  fix(place: Place, fixed: ScaleZeroPoint): void {
    this.groups.get(this.root(place))!.fixed = fixed;
  }

  centre(place: Place): void {
    this.groups.get(this.root(place))!.isCentred = true;
  }

  /** Whether two places share their parameters. */
  areOne(a: Place, b: Place): boolean {
    return this.root(a) === this.root(b);
  }

  /** Let two places share their parameters. At most one of them may be of fixed ones. */
  join(a: Place, b: Place): void {
    const roots = [this.root(a), this.root(b)];
    if (roots[0] === roots[1]) return;
    // The smaller one into the larger one: a chain of thousands would otherwise be copied at each step.
    const [from, to] = roots.sort((x, y) => this.sizeOf(x) - this.sizeOf(y)) as [string, string];
    const [small, large] = [this.groups.get(from)!, this.groups.get(to)!];
    this.parents.set(from, to);
    this.groups.delete(from);
    for (const value of small.values) large.values.push(value);
    for (const tensor of small.tensors) large.tensors.push(tensor);
    large.fixed ??= small.fixed;
    large.isCentred ||= small.isCentred;
  }

  private sizeOf(root: string): number {
    const { values, tensors } = this.groups.get(root)!;
    return values.length + tensors.length;
  }

  private root(place: Place): string {
    let key = place.kind === 'value' ? `value ${place.value}` : `tensor ${place.tensor}`;
    if (!this.parents.has(key)) {
      this.parents.set(key, key);
      this.groups.set(key, {
        values: place.kind === 'value' ? [place.value] : [],
        tensors: place.kind === 'tensor' ? [place.tensor] : [],
        fixed: null,
        isCentred: false,
      });
    }
    for (let up = this.parents.get(key)!; up !== key; up = this.parents.get(key)!) key = up;
    return key;
  }
}
