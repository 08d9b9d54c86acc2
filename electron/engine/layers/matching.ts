import type { ModelGraph, OperatorRef, ValueRef } from '../../../shared/graph.ts';

/** Operators that hand a value on in other numbers: as codes, from codes, or in another float type. */
const PASSES: ReadonlySet<string> = new Set([
  ...['QuantizeLinear', 'DequantizeLinear', 'Cast'],
  ...['QUANTIZE', 'DEQUANTIZE'],
]);

/**
 * Which values of an export's main graph stand for which values of the original's. Exports keep names; a value whose
 * name now belongs to what its codes give, or that is made in float16 under a new name, is found through the graph.
 */
export class Matching {
  private readonly original: ModelGraph;
  private readonly exported: ModelGraph;
  /** Values of the original's main graph by name. */
  private readonly known: ReadonlyMap<string, ValueRef>;
  /** By number of the export's value: the name in the original, or null. */
  private readonly origins: (string | null)[];
  /** By the name in the original: the export's value. */
  private readonly counterparts = new Map<string, number>();

  constructor(original: ModelGraph, exported: ModelGraph) {
    [this.original, this.exported] = [original, exported];
    this.known = new Map(mainValues(original).map((value) => [value.name, value]));
    this.origins = exported.values.map(({ graph, name }) =>
      graph === '' && this.known.has(name) ? name : null,
    );
    this.passBackwards();
    this.passForwards();
    for (const { id, name, producer } of mainValues(exported)) {
      const origin = this.origins[id]!;
      if (origin === null) continue;
      if (name === origin) this.counterparts.set(origin, id);
      else if (!this.counterparts.has(origin) && !this.isPass(producer))
        this.counterparts.set(origin, id);
    }
  }

  /** The original's name for a value of the export; null where the original has no such value. */
  originOf(value: number): string | null {
    return this.origins[value]!;
  }

  /** The export's value for a value of the original; null where the export has none. */
  counterpartOf(name: string): number | null {
    return this.counterparts.get(name) ?? null;
  }

  /** Whether an operator of the export only stores or restores a value of the original, which it takes. */
  isStep(operator: number): boolean {
    const { inputs, outputs } = this.exported.operators[operator]!;
    const [input, output] = [inputs[0], outputs[0]];
    if (!this.isPass(operator) || input?.kind !== 'value' || typeof output !== 'number')
      return false;
    const origin = this.origins[input.value]!;
    return origin !== null && origin === this.origins[output];
  }

  private isPass(operator: number | null): boolean {
    return operator !== null && PASSES.has(this.exported.operators[operator]!.op);
  }

  /**
   * Where codes, a cast or an Identity give a value under a name of the original, what they take stands for that value
   * too. An Identity replaces both steps in a copy with exact activations: without it, a Conv that a normalization was
   * folded into would be matched by its operator, with the original's Conv before the normalization.
   */
  private passBackwards(): void {
    for (const { id, op, inputs, outputs } of mainOperators(this.exported).reverse()) {
      const [input, output] = [inputs[0], outputs[0]];
      const isPass = this.isPass(id) || op === 'Identity';
      if (!isPass || input?.kind !== 'value' || typeof output !== 'number') continue;
      const origin = this.origins[output]!;
      if (origin === null || this.origins[input.value] !== null) continue;
      if (this.producerOf(origin)?.op !== op) this.origins[input.value] = origin;
    }
  }

  private passForwards(): void {
    const candidates = new Candidates(this.original);
    for (const operator of mainOperators(this.exported)) {
      const made = operator.outputs.filter((output) => output !== null);
      if (made.some((output) => this.origins[output] !== null)) {
        candidates.take(made.map((output) => this.origins[output]!));
        continue;
      }
      const [input] = operator.inputs;
      if (this.isPass(operator.id)) {
        if (input?.kind === 'value')
          for (const output of made) this.origins[output] = this.origins[input.value]!;
        continue;
      }
      const found = candidates.find(operator, this.origins);
      for (const [at, output] of operator.outputs.entries()) {
        const same = found?.outputs[at];
        if (output !== null && typeof same === 'number')
          this.origins[output] = this.original.values[same]!.name;
      }
    }
  }

  private producerOf(name: string): OperatorRef | undefined {
    const producer = this.known.get(name)?.producer ?? null;
    return producer === null ? undefined : this.original.operators[producer];
  }
}

/** The original's operators by what they compute: their kind and the values that they take. */
class Candidates {
  private readonly original: ModelGraph;
  private readonly bySignature = new Map<string, OperatorRef[]>();
  /** Values of the original that the export has already. */
  private readonly taken = new Set<string>();

  constructor(original: ModelGraph) {
    this.original = original;
    for (const operator of mainOperators(original)) {
      const key = signature(operator, (value) => original.values[value]!.name);
      if (key === null) continue;
      const same = this.bySignature.get(key);
      if (same === undefined) this.bySignature.set(key, [operator]);
      else same.push(operator);
    }
  }

  take(names: readonly (string | null)[]): void {
    for (const name of names) if (name !== null) this.taken.add(name);
  }

  /** The one that an operator of the export stands for: by name where it has one, else the first of its kind. */
  find(operator: OperatorRef, origins: readonly (string | null)[]): OperatorRef | undefined {
    const key = signature(operator, (value) => origins[value] ?? null);
    const same = key === null ? [] : (this.bySignature.get(key) ?? []);
    const free = same.filter((each) => !this.namesOf(each).some((name) => this.taken.has(name)));
    const found = free.find(({ name }) => name === operator.name) ?? free[0];
    if (found !== undefined) this.take(this.namesOf(found));
    return found;
  }

  private namesOf({ outputs }: OperatorRef): string[] {
    return outputs.flatMap((output) => (output === null ? [] : this.original.values[output]!.name));
  }
}

/** Null for an operator that takes no value: nothing tells it from others. */
function signature(
  { op, domain, inputs }: OperatorRef,
  nameOf: (value: number) => string | null,
): string | null {
  const taken = inputs.map((input) => (input?.kind === 'value' ? nameOf(input.value) : null));
  const names = taken.filter((name) => name !== null);
  return names.length === 0 ? null : JSON.stringify([op, domain, names]);
}

/** The operators of the main graph, in the order of execution; none of the bodies of If and Loop. */
export function mainOperators({ operators }: ModelGraph): OperatorRef[] {
  return operators.filter(({ graph }) => graph === '');
}

function mainValues({ values }: ModelGraph): ValueRef[] {
  return values.filter(({ graph }) => graph === '');
}
