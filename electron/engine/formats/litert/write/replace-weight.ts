import { makeTable, withFields, type Changes, type TableNode } from '../read/nodes.ts';
import { FLOAT32 } from '../read/tensor-types.ts';
import { unionMember } from '../read/schema.ts';
import {
  boundaryOf,
  consumersOf,
  restoredBy,
  type StoredTensor,
  type Use,
} from '../read/tensors.ts';
import type { GraphEdit } from './graph-edit.ts';
import type { HybridOperator, HybridOperators } from './hybrid-operators.ts';
import type { Replaced } from './request.ts';
import type { OperatorCodes } from './operator-codes.ts';
import type { StoredForm } from './stored-form.ts';

export interface ReplaceContext {
  readonly edits: readonly GraphEdit[];
  readonly codes: OperatorCodes;
  readonly hybrid: HybridOperators;
  /** The changed options of hybrid operators, by the operator's node, which thousands of references may share. */
  readonly options: Map<TableNode, Changes>;
}

/** Store a weight's codes under its name, and see to everything that it feeds. */
export function replaceWeight({ tensor, form }: Replaced, context: ReplaceContext): void {
  for (const stored of tensor.stored) {
    const edit = context.edits[stored.graph.index]!;
    edit.changeTensor(stored.index, {
      type: form.type,
      quantization: form.quantization ?? undefined,
    });
    if (tensor.ref.dtype === 'float32') feedFloat(stored, form, edit, context);
    else for (const use of stored.uses) feedRestored(stored, use, form, edit, context);
  }
}

/** A float32 weight: what cannot take codes takes them restored, before the first such use. */
function feedFloat(
  stored: StoredTensor,
  form: StoredForm,
  edit: GraphEdit,
  context: ReplaceContext,
): void {
  const { codes, hybrid } = context;
  const others: Use[] = [];
  for (const use of stored.uses) {
    const operator = hybrid.get(use.operator);
    if (operator?.bias === use.input) continue;
    if (operator?.inputs.includes(use.input) !== true) others.push(use);
    else runHybrid(use, operator, form, edit, context);
  }
  const first = others[0];
  if (first === undefined) return;
  const restored = edit.addTensor(stored.index, '_dequantized', {
    type: FLOAT32,
    buffer: undefined,
    quantization: undefined,
  });
  edit.add('before', first.at, stored.index, restored, restoring(form, codes));
  for (const { at, input } of others) edit.setInput(at, input, restored);
}

/** A float16 weight behind a DEQUANTIZE: that restores the codes as well, unless all behind it takes codes. */
function feedRestored(
  stored: StoredTensor,
  { graph, operator: dequantize, at }: Use,
  form: StoredForm,
  edit: GraphEdit,
  context: ReplaceContext,
): void {
  const { codes, hybrid } = context;
  // Float16 weights are replaced only where a DEQUANTIZE restores each use (fit/untouchable.ts).
  const output = restoredBy(dequantize)!;
  let isNeeded = boundaryOf(graph).has(output);
  for (const use of consumersOf(graph).get(output) ?? []) {
    const taker = hybrid.get(use.operator);
    if (taker?.bias === use.input) continue;
    if (taker?.inputs.includes(use.input) !== true) isNeeded = true;
    else {
      edit.setInput(use.at, use.input, stored.index);
      runHybrid(use, taker, form, edit, context);
    }
  }
  if (isNeeded) codes.raise(dequantize.opcode, 'DEQUANTIZE', form.restore.version);
  else edit.drop(at);
}

/** Say in an operator's version and options that its weights are codes, and restore what it gives as codes. */
function runHybrid(
  { operator, at }: Pick<Use, 'operator' | 'at'>,
  { form, isPerChannel }: HybridOperator,
  stored: StoredForm,
  edit: GraphEdit,
  { codes, options }: ReplaceContext,
): void {
  codes.raise(operator.opcode, operator.op, form.version(operator, isPerChannel));
  // Operators' versions do not tell that they take 4 bits; runtimes that restore these do.
  if (stored.scheme.dtype === 'int4') codes.need(stored.restore.op, stored.restore.version);
  if (form.options !== null) {
    const changes = options.get(operator.node) ?? hybridOptions(operator.options, form.options);
    options.set(operator.node, changes);
    edit.changeOperator(at, changes);
  }
  if (form.givesCodes !== true) return;
  // Operators without a first output are not hybrid ones (hybridOperators).
  const output = operator.outputs[0]!;
  const given = edit.addTensor(output, '_quantized', {
    type: stored.type,
    quantization: stored.quantization ?? undefined,
  });
  edit.setOutput(at, 0, given);
  edit.add('after', at, given, output, restoring(stored, codes));
}

function hybridOptions(options: TableNode | null, kind: string): Changes {
  return {
    builtin_options_type: unionMember('BuiltinOptions', kind),
    builtin_options: withFields(options ?? makeTable(kind, {}), { asymmetric_quantize_inputs: 1 }),
  };
}

/** The fields of an operator that makes float32 of a stored form. */
function restoring({ restore, type }: StoredForm, codes: OperatorCodes): Changes {
  const opcode = codes.restoring(restore);
  if (restore.op === 'DEQUANTIZE') return { opcode_index: opcode };
  return {
    opcode_index: opcode,
    builtin_options_type: unionMember('BuiltinOptions', 'CastOptions'),
    builtin_options: makeTable('CastOptions', { in_data_type: type, out_data_type: FLOAT32 }),
  };
}
