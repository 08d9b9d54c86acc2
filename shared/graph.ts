/** A value that flows between operators: a graph's input, or what an operator makes. Stored tensors are none. */
export interface ValueRef {
  /** Position in ModelGraph.values; names need not be unique across graphs. */
  readonly id: number;
  readonly name: string;
  /** The graph it is made in, as in TensorRef. */
  readonly graph: string;
  /** The operator that makes it; null for an input of a graph. */
  readonly producer: number | null;
  readonly consumers: readonly ValueConsumer[];
  /** Whether it is an output of its graph. */
  readonly isOutput: boolean;
  /** Whether it holds codes of one scale. Absent where it does not, and where codes have operators of their own. */
  readonly isCodes?: true;
  /** Whether it is kept from run to run. Absent where it is not. */
  readonly isState?: true;
}

/** What a value is called among all of a model's: its name, after the graph that it is in where that is a subgraph. */
export function valueKey({ graph, name }: Pick<ValueRef, 'graph' | 'name'>): string {
  return graph === '' ? name : `${graph}/${name}`;
}

/** One operator input that takes a value. */
export interface ValueConsumer {
  readonly operator: number;
  readonly input: number;
  /** Whether the operator is in a graph inside of the value's, where it takes the value by its outer name. */
  readonly isInner: boolean;
}

/** What an operator takes at one input: a value or a stored tensor, by number; null where the input is left out. */
export type Operand =
  | { readonly kind: 'value'; readonly value: number }
  | { readonly kind: 'tensor'; readonly tensor: number }
  | null;

export interface OperatorRef {
  /** Position in ModelGraph.operators. */
  readonly id: number;
  /** Its name, or that of its first output where it has none. */
  readonly name: string;
  readonly op: string;
  /** '' for the format's own operators. */
  readonly domain: string;
  readonly graph: string;
  readonly inputs: readonly Operand[];
  /** Values by number; null where an output is left out. */
  readonly outputs: readonly (number | null)[];
}

/** How a model computes: its operators in the order of execution, and the values between them. */
export interface ModelGraph {
  readonly values: readonly ValueRef[];
  readonly operators: readonly OperatorRef[];
}

/** Of formats and files that hold tensors only. */
export const NO_GRAPH: ModelGraph = { values: [], operators: [] };
