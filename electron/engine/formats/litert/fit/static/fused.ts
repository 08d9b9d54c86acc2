import type { LitertGraph } from '../../read/graph.ts';
import { numberOf } from '../../read/nodes.ts';
import type { GraphRecord, OperatorRecord } from '../../read/records.ts';

/** Operators that only clip, and what kernels that clip their own results know each as (ActivationFunctionType). */
const CLIPPING: Readonly<Record<string, number>> = { RELU: 1, RELU6: 3 };

/** Options of operators whose integer kernels clip their results, in LiteRT's as in XNNPACK's. */
const FUSING: ReadonlySet<string> = new Set([
  ...['AddOptions', 'SubOptions', 'MulOptions', 'FullyConnectedOptions'],
  ...['Conv2DOptions', 'DepthwiseConv2DOptions'],
]);

/** The number of an operator among activation functions; null where it does more than clip. */
export function clippingOf({ op, isCustom }: OperatorRecord): number | null {
  return isCustom || !Object.hasOwn(CLIPPING, op) ? null : CLIPPING[op]!;
}

/**
 * Operators that clip what the one before makes for them alone, with that one, whose kernel does it as well. The value
 * between them needs no codes: a range of it would spend half of them on what is cut off, and XNNPACK (tf.lite 2.21)
 * leaves a RELU between different scales to a slow kernel (5.9 ms instead of 1.1 ms on the short-range face detector).
 * @param isInteger whether an operator computes on integers
 */
export function fusedClips(
  { operators, values }: LitertGraph,
  main: GraphRecord,
  isInteger: (operator: number) => boolean,
): ReadonlyMap<number, number> {
  const found = new Map<number, number>();
  for (const { id, graph, inputs } of operators) {
    if (graph !== '' || !isInteger(id) || clippingOf(main.operators[id]!) === null) continue;
    const [input] = inputs;
    if (input?.kind !== 'value' || (main.operators[id]!.outputs[0] ?? -1) < 0) continue;
    const { producer, consumers, isOutput } = values[input.value]!;
    if (producer === null || isOutput || consumers.length > 1 || !isInteger(producer)) continue;
    const { options, outputs } = main.operators[producer]!;
    if (options === null || !FUSING.has(options.table) || outputs.length > 1) continue;
    if (numberOf(options, 'fused_activation_function') === 0) found.set(id, producer);
  }
  return found;
}
