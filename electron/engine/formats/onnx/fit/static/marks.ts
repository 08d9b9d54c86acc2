import type { Operand } from '../../../../../../shared/graph.ts';

/** A value or a stored tensor. */
export type Place = Exclude<Operand, null>;

/** What the reference's rules say of one value or stored tensor that is to be quantized. */
export interface Mark {
  readonly place: Place;
  /** Whether it has the type of activations, as the constants of elementwise operators do, or that of weights. */
  readonly as: 'activation' | 'weight';
  /** What it takes its parameters from; null where it has its own. */
  readonly provider: Place | null;
  /** The operator that it was first marked for, whose activation scheme it has. */
  readonly operator: number;
}

/** A bias that is to become int32. */
export interface BiasMark {
  readonly operator: number;
  readonly input: Place;
  readonly weight: Place;
  readonly bias: number;
  readonly beta: number;
}

/** What is to be quantized, in the order in which it was marked. The first mark of a place counts. */
export class Marks {
  readonly biases: BiasMark[] = [];
  private readonly marks = new Map<string, Mark>();
  private readonly isQuantizable: (place: Place) => boolean;

  /** @param isQuantizable whether a place holds float32 numbers that may be quantized */
  constructor(isQuantizable: (place: Place) => boolean) {
    this.isQuantizable = isQuantizable;
  }

  get all(): readonly Mark[] {
    return [...this.marks.values()];
  }

  of(place: Operand): Mark | undefined {
    return place === null ? undefined : this.marks.get(keyOf(place));
  }

  add(place: Operand | undefined, rest: Omit<Mark, 'place'>): void {
    if (place === null || place === undefined || this.marks.has(keyOf(place))) return;
    if (this.isQuantizable(place)) this.marks.set(keyOf(place), { place, ...rest });
  }

  drop(place: Place): void {
    this.marks.delete(keyOf(place));
  }
}

function keyOf(place: Place): string {
  return place.kind === 'value' ? `value ${place.value}` : `tensor ${place.tensor}`;
}
