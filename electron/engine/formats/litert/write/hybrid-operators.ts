import { FLOAT32 } from '../read/tensor-types.ts';
import { isPaired } from '../fit/fit-biases.ts';
import { consumersOf, restoredBy } from '../read/tensors.ts';
import { storageDtype } from '../../../../../shared/scheme.ts';
import type { ExportMode } from '../../../../../shared/exports.ts';
import type { GraphRecord, LitertIndex, OperatorRecord } from '../read/records.ts';
import type { StoredForm } from './stored-form.ts';
import type { HalfBiases } from './half-biases.ts';
import {
  hybridForm,
  scaleAxis,
  takesScheme,
  weightInputs,
  type HybridForm,
} from '../fit/hybrid.ts';
import type { Replaced } from './request.ts';

/** An operator that runs on the codes of its weights. */
export interface HybridOperator {
  readonly form: HybridForm;
  readonly isPerChannel: boolean;
  /** The inputs that take codes. */
  readonly inputs: readonly number[];
  /** The input of a bias whose codes are stored beside those that others take, and set later. */
  readonly bias?: number;
}

export type HybridOperators = ReadonlyMap<OperatorRecord, HybridOperator>;

/**
 * The operators that can run on int8 weights: those with a hybrid kernel all of whose weights the
 * export stores as that kernel takes them, directly or behind a DEQUANTIZE that falls away, and whose
 * bias is stored as float32.
 */
export function hybridOperators(
  index: LitertIndex,
  replaced: readonly Replaced[],
  mode: ExportMode,
  biases: HalfBiases,
): HybridOperators {
  const found = new Map<OperatorRecord, HybridOperator>();
  if (mode !== 'dynamic') return found;
  const stored = storedForms(replaced);
  for (const graph of index.graphs) {
    const forms = stored.get(graph);
    if (forms === undefined) continue;
    const others = tiedTensors(graph);
    for (const operator of graph.operators) {
      const form = hybridForm(operator, graph);
      if (form === null || !isFloat(graph, operator) || isTied(operator, graph, others)) continue;
      const inputs = weightInputs(operator, graph);
      const weights = inputs.map((input) => forms.get(operator.inputs[input]!));
      const isTaken = weights.every(
        (each, at) =>
          each !== undefined &&
          takesScheme(form, each.scheme, each.isPerChannel) &&
          // A shared weight can have its channels on another axis in another operator.
          (each.scaleAxis === null || each.scaleAxis === scaleAxis(operator, inputs[at]!, graph)),
      );
      if (weights.length > 0 && isTaken && biases.choose(operator, graph))
        found.set(operator, {
          form,
          inputs,
          isPerChannel: weights.some((each) => each!.isPerChannel),
        });
    }
  }
  return found;
}

/**
 * Choose the float16 biases of operators whose weights become int8: XNNPACK runs those only on a bias that is
 * stored as float32 (test/reference/litert_delegate.py). A bias that other operators take as well stays.
 */
export function widenBiases(
  index: LitertIndex,
  replaced: readonly Replaced[],
  biases: HalfBiases,
): void {
  const stored = storedForms(replaced);
  for (const graph of index.graphs) {
    const forms = stored.get(graph);
    if (forms === undefined) continue;
    const takesInt8 = (operator: OperatorRecord): boolean => {
      const scheme = isPaired(operator) ? forms.get(operator.inputs[1] ?? -1)?.scheme : undefined;
      return scheme !== undefined && storageDtype(scheme.dtype) === 'int8';
    };
    // By tensor, as thousands of operators may take one.
    const alone = new Map<number, boolean>();
    for (const operator of graph.operators) {
      if (!takesInt8(operator)) continue;
      const bias = operator.inputs[2] ?? -1;
      const uses = consumersOf(graph).get(bias) ?? [];
      const isAlone = alone.get(bias) ?? uses.every((use) => takesInt8(use.operator));
      alone.set(bias, isAlone);
      if (isAlone) biases.choose(operator, graph);
    }
  }
}

/** How the tensors of each graph that are replaced weights, or those restored to float, are stored. */
function storedForms(replaced: readonly Replaced[]): Map<GraphRecord, Map<number, StoredForm>> {
  const found = new Map<GraphRecord, Map<number, StoredForm>>();
  for (const { tensor, form } of replaced)
    for (const { graph, index, uses } of tensor.stored) {
      const forms = found.get(graph) ?? new Map<number, StoredForm>();
      forms.set(index, form);
      for (const { operator } of uses) {
        const restored = restoredBy(operator);
        if (restored !== null) forms.set(restored, form);
      }
      found.set(graph, forms);
    }
  return found;
}

/**
 * Whether a BATCH_MATMUL shares its weights with an operator of another kind. XNNPACK (tf.lite 2.21) fails to
 * prepare both on the same codes: FULLY_CONNECTED and BATCH_MATMUL of one square matrix.
 */
function isTied(
  operator: OperatorRecord,
  graph: GraphRecord,
  others: ReadonlySet<number>,
): boolean {
  if (operator.op !== 'BATCH_MATMUL') return false;
  return weightInputs(operator, graph).some((input) => others.has(operator.inputs[input]!));
}

/** What operators with a hybrid kernel take that are no BATCH_MATMUL. */
function tiedTensors(graph: GraphRecord): ReadonlySet<number> {
  const tensors = new Set<number>();
  for (const operator of graph.operators)
    if (operator.op !== 'BATCH_MATMUL' && hybridForm(operator, graph) !== null)
      for (const tensor of operator.inputs) tensors.add(tensor);
  return tensors;
}

/** Hybrid kernels take and give float32. */
function isFloat(graph: GraphRecord, operator: OperatorRecord): boolean {
  return graph.tensors[operator.outputs[0] ?? -1]?.type === FLOAT32;
}
