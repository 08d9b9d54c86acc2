import {
  valueKey,
  type ModelGraph,
  type OperatorRef,
  type ValueRef,
} from '../../../shared/graph.ts';
import type { SkippedLayer } from '../../../shared/layer-errors.ts';
import { addTo } from '../../../shared/lists.ts';
import type { ValuePlan, ValueTaker } from '../../../shared/plan.ts';
import type { ActivationCodes } from '../formats/format.ts';
import { Matching } from './matching.ts';

/** The values of the original that an export rounds, those of bodies included: what rounds each, and what of it is not found. */
export function roundedValues(
  original: ModelGraph,
  exported: ModelGraph,
  codes: readonly ActivationCodes[],
): { readonly values: readonly ValuePlan[]; readonly skipped: readonly SkippedLayer[] } {
  return new Rounded(original, exported, codes).find();
}

class Rounded {
  private readonly original: ModelGraph;
  private readonly exported: ModelGraph;
  private readonly codes: readonly ActivationCodes[];
  /** By number of the export's value: the original's value. */
  private readonly origins: (number | undefined)[];
  /** Values of the original that the export has. */
  private readonly kept: ReadonlySet<number | undefined>;

  constructor(original: ModelGraph, exported: ModelGraph, codes: readonly ActivationCodes[]) {
    [this.original, this.exported, this.codes] = [original, exported, codes];
    const known = byKey(original.values);
    const matching = new Matching(original, exported);
    this.origins = exported.values.map((value) =>
      known.get(value.graph === '' ? (matching.originOf(value.id) ?? '') : valueKey(value)),
    );
    // One of the two has the name that the value has in the original.
    for (const { exact, restored } of codes) {
      const origin = this.origins[restored] ?? this.origins[exact];
      this.origins[restored] = origin;
      this.origins[exact] ??= origin;
    }
    this.kept = new Set(this.origins);
  }

  find(): { values: ValuePlan[]; skipped: SkippedLayer[] } {
    const skipped = new Map<string, string>();
    // Operators on integers in bodies restore codes of the same value each for itself.
    const alike = new Map<string, ActivationCodes[]>();
    for (const each of this.codes) {
      const value = this.origins[each.exact];
      const { scale, zeroPoint, dtype } = each;
      if (value !== undefined) addTo(alike, [value, scale, zeroPoint, dtype].join(), each);
      else skipped.set(valueKey(this.exported.values[each.exact]!), UNKNOWN);
    }
    const values = [...alike.values()].map((same): ValuePlan => {
      const [{ exact, scale, zeroPoint, dtype }] = same as [ActivationCodes];
      const scheme = { dtype, symmetric: false, range: 'minmax' } as const;
      const value = this.origins[exact]!;
      return { value, scheme, scale, zeroPoint, takers: this.takersOf(same, value), reason: null };
    });
    return { values, skipped: [...skipped].map(([name, reason]) => ({ name, reason })) };
  }

  /** All that take a value of its name; of other names, the operators that take these in the export. */
  private takersOf(same: readonly ActivationCodes[], value: number): 'all' | readonly ValueTaker[] {
    const { name, consumers } = this.original.values[value]!;
    const restored = same.map((each) => this.exported.values[each.restored]!);
    if (restored.some((each) => each.name === name)) return 'all';
    const taking = new Set(
      restored.flatMap((each) =>
        each.consumers.flatMap(({ operator }) =>
          this.takersBehind(this.exported.operators[operator]!, value),
        ),
      ),
    );
    const found = consumers.filter(({ operator }) => taking.has(operator));
    return found.length === 0 ? 'all' : found;
  }

  /** The original's operators that take a value and are part of one of the export, which several may be fused into. */
  private takersBehind({ outputs }: OperatorRef, value: number): number[] {
    const { operators, values } = this.original;
    const isTaken = new Set(values[value]!.consumers.map(({ operator }) => operator));
    const found = new Set<number>();
    const left = outputs.map((output) => (output === null ? undefined : this.origins[output]));
    for (const made of left) {
      const producer = made === undefined ? null : values[made]!.producer;
      if (producer === null || found.has(producer)) continue;
      found.add(producer);
      for (const input of operators[producer]!.inputs)
        if (input?.kind === 'value' && !this.kept.has(input.value)) left.push(input.value);
    }
    return [...found].filter((operator) => isTaken.has(operator));
  }
}

const UNKNOWN = 'is rounded to codes, and the original does not have it';

/** Values by what they are called, without those that are called the same. */
function byKey(values: readonly ValueRef[]): ReadonlyMap<string, number> {
  const [found, twice] = [new Map<string, number>(), new Set<string>()];
  for (const value of values) {
    const key = valueKey(value);
    if (found.has(key)) twice.add(key);
    found.set(key, value.id);
  }
  for (const key of twice) found.delete(key);
  return found;
}
