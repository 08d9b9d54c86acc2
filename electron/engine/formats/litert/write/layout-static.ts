import type { KeptOperator } from '../../../../../shared/protocol.ts';
import { piecesLength, type Layout, type Piece } from '../../../export/layout.ts';
import { integerRule } from '../fit/static/rules.ts';
import { tablesOf } from '../read/nodes.ts';
import type { OperatorRecord } from '../read/records.ts';
import { assembleModel, toldBy } from './assemble.ts';
import { GraphEdit } from './graph-edit.ts';
import type { HybridOperator } from './hybrid-operators.ts';
import { OperatorCodes } from './operator-codes.ts';
import { replaceWeight } from './replace-weight.ts';
import type { Computing, LitertExport, Replaced } from './request.ts';
import { placeStaticBiases, type BiasBuffers } from './static-biases.ts';
import { StaticGraph } from './static-graph.ts';
import { storedForm, Zeros } from './stored-form.ts';

/**
 * Lay out a model that computes on integers, as a static plan says. It is written whatever its size: of a small model
 * the scales can weigh more than the codes save, and an integer-only device runs no other.
 */
export function layoutStatic(request: LitertExport, computing: Computing): Layout {
  const { index, source, tensors, plan } = request;
  const zeros = new Zeros();
  const replaced = plan.flatMap(({ tensor, scheme, reason }): Replaced[] =>
    scheme === null || scheme.dtype === 'int32'
      ? []
      : [{ tensor: tensors[tensor]!, form: storedForm(tensors[tensor]!, scheme, zeros), reason }],
  );
  const edits = index.graphs.map((graph) => new GraphEdit(graph));
  const codes = new OperatorCodes(tablesOf(index.root, 'operator_codes'));
  const hybrid = integerOperators(index.graphs[0]!.operators, computing);
  for (const weight of replaced)
    replaceWeight(weight, { edits, codes, hybrid, options: new Map() });
  for (const [operator, { form, isPerChannel }] of hybrid)
    codes.raise(operator.opcode, operator.op, form.version(operator, isPerChannel));
  const outputs = new Set(index.graphs[0]!.outputs);
  new StaticGraph(edits[0]!, codes, computing, outputs).place(computing.activations);
  const buffers: BiasBuffers = {
    stored: new Map<number, Piece>(),
    added: [],
    count: tablesOf(index.root, 'buffers').length,
  };
  placeStaticBiases(edits[0]!, tensors, computing, buffers);
  for (const { tensor, form } of replaced) buffers.stored.set(tensor.buffer, form.codes);
  const file = {
    index,
    source,
    told: toldBy(request.recipe),
    added: buffers.added,
    limit: Infinity,
  };
  const pieces = assembleModel(file, buffers.stored, edits, codes)!;
  return {
    ...{ pieces, beside: [], bytes: piecesLength(pieces), refused: [] },
    operators: floatOperators(computing),
    quantized: plan.flatMap(({ tensor, scheme, reason }) =>
      scheme === null ? [] : [{ tensor, scheme, codes: 'litert', reason }],
    ),
  };
}

/** Operators that stay in float. */
export function floatOperators({ operators, graph }: Computing): readonly KeptOperator[] {
  return operators.flatMap(({ operator, reason }) => {
    const { name, op } = graph.operators[operator]!;
    return reason === null ? [] : [{ name, op, reason }];
  });
}

/** Operators on integers, and the stored tensors that they take as codes. */
function integerOperators(
  records: readonly OperatorRecord[],
  { operators }: Computing,
): ReadonlyMap<OperatorRecord, HybridOperator> {
  const found = new Map<OperatorRecord, HybridOperator>();
  for (const { operator, isInteger } of operators) {
    const record = isInteger ? records[operator]! : null;
    const rule = record === null ? null : integerRule(record);
    if (record === null || rule === null) continue;
    const form = { options: null, granularity: 'either', version: () => rule.version } as const;
    // Biases have a form of their own.
    const isBias = (input: number): boolean => rule.kind === 'weighted' && input === rule.bias;
    const inputs = record.inputs.flatMap((_, input) => (isBias(input) ? [] : [input]));
    found.set(record, { form, isPerChannel: false, inputs });
  }
  return found;
}
