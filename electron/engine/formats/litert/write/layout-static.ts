import { piecesLength, type Layout, type Piece } from '../../../export/layout.ts';
import { clippingOf } from '../fit/static/fused.ts';
import { integerRule } from '../fit/static/rules.ts';
import { makeTable, tablesOf, withFields, type Changes } from '../read/nodes.ts';
import { unionMember } from '../read/schema.ts';
import type { OperatorRecord } from '../read/records.ts';
import { isStored } from '../read/tensors.ts';
import { arenaOf } from './arena.ts';
import { assembleModel, toldBy } from './assemble.ts';
import { GraphEdit } from './graph-edit.ts';
import type { HybridOperator } from './hybrid-operators.ts';
import { OperatorCodes } from './operator-codes.ts';
import { replaceWeight } from './replace-weight.ts';
import type { Computing, LitertExport, Replaced } from './request.ts';
import { placeStaticBiases, type BiasBuffers } from './static-biases.ts';
import { StaticGraph } from './static-graph.ts';
import { storedForm, Zeros } from './stored-form.ts';

/** Lay out a model that computes on integers, as a static plan says, whatever its size. */
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
  changeOptions(edits[0]!, computing);
  const outputs = new Set(index.graphs[0]!.outputs);
  new StaticGraph(edits[0]!, codes, computing, outputs).place(computing.activations);
  const buffers: BiasBuffers = {
    stored: new Map<number, Piece>(),
    added: [],
    zeros,
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
    ...arenas(request, edits[0]!),
    quantized: plan.flatMap(({ tensor, scheme, reason }) =>
      scheme === null ? [] : [{ tensor, scheme, codes: 'litert', reason }],
    ),
  };
}

/** Memory for the values between operators, before and after. */
function arenas({ index, source }: LitertExport, edit: GraphEdit): Pick<Layout, 'arena'> {
  const isHeld = (buffer: number): boolean => isStored(index, buffer);
  const isAdded = (buffer: number): boolean => buffer >= index.buffers.length;
  const before = arenaOf(source, index.graphs[0]!.node, isHeld);
  const after = arenaOf(source, edit.finish().node, (each) => isHeld(each) || isAdded(each));
  return before === null || after === null ? {} : { arena: { before, after } };
}

/** Operators on integers, and the stored tensors that they take as codes. */
function integerOperators(
  records: readonly OperatorRecord[],
  computing: Computing,
): ReadonlyMap<OperatorRecord, HybridOperator> {
  const found = new Map<OperatorRecord, HybridOperator>();
  const isWide = isWideModel(computing);
  for (const { operator, isInteger, fusedInto, bias: planned } of computing.operators) {
    const record = isInteger && fusedInto === undefined ? records[operator]! : null;
    const rule = record === null ? null : integerRule(record);
    if (record === null || rule === null) continue;
    const version = isWide ? rule.int16! : rule.int8;
    const form = { options: null, granularity: 'either', version: () => version } as const;
    // Biases have a form of their own.
    const bias = rule.kind === 'weighted' ? rule.bias : null;
    const inputs = record.inputs.flatMap((_, input) => (input === bias ? [] : [input]));
    const apart = bias === null || planned === undefined ? {} : { bias };
    found.set(record, { form, isPerChannel: false, inputs, ...apart });
  }
  return found;
}

/** Whether activations are int16. */
function isWideModel({ activations }: Computing): boolean {
  return activations.some(({ scheme }) => scheme?.dtype === 'int16');
}

/** Options that say whether int16 operands have scales that are powers of two, which is their default. */
const POWERS: Readonly<Record<string, string>> = { ADD: 'AddOptions', SUB: 'SubOptions' };

/** Let ADD and SUB take int16 operands of any scale, and operators clip for those that are fused into them. */
function changeOptions(edit: GraphEdit, computing: Computing): void {
  const { operators: records } = edit.graph;
  const changes = new Map<number, Changes>();
  if (isWideModel(computing))
    for (const { operator, isInteger } of computing.operators)
      if (isInteger && POWERS[records[operator]!.op] !== undefined)
        changes.set(operator, { pot_scale_int16: 0 });
  for (const { operator, fusedInto } of computing.operators)
    if (fusedInto !== undefined)
      changes.set(fusedInto, {
        ...changes.get(fusedInto),
        fused_activation_function: clippingOf(records[operator]!)!,
      });
  for (const [operator, fields] of changes) {
    const { op, options } = records[operator]!;
    const table = POWERS[op] ?? options!.table;
    const before = options?.table === table ? options : makeTable(table, {});
    edit.changeOperator(operator, {
      builtin_options_type: unionMember('BuiltinOptions', table),
      builtin_options: withFields(before, fields),
    });
  }
}
