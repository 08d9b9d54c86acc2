import { AppError } from '../../../../../shared/errors.ts';
import { piecesLength, type Layout } from '../../../export/layout.ts';
import { SHAPE_SUFFIX, type ObservedKind } from '../../format.ts';
import { makeIndices, makeTable, tablesOf, type Changes, type TableNode } from '../read/nodes.ts';
import type { PagedBytes } from '../read/paged-bytes.ts';
import { holdsCodes } from '../read/graph.ts';
import type { LitertIndex } from '../read/records.ts';
import { unionMember } from '../read/schema.ts';
import { RANDOM_OPERATORS } from '../read/operators.ts';
import { firstSignature, type NamedTensor } from '../read/signature.ts';
import { dtypeOfType, typeOfDtype } from '../read/tensor-types.ts';
import { isStored } from '../read/tensors.ts';
import { assembleModel } from './assemble.ts';
import { conversionFields, FLOAT_FORM } from './conversions.ts';
import { GraphEdit } from './graph-edit.ts';
import { OperatorCodes } from './operator-codes.ts';
import { signatureOf } from './signature.ts';

/** What the name of an output ends with when a value that is observed has its name. */
const OUTPUT_SUFFIX = '/quantscope.output';
const COPY_SUFFIX = '/quantscope.copy';
const FLOAT_SUFFIX = '/quantscope.float';

/**
 * A copy of a model that gives some of its first graph's values as outputs besides its own; nothing else is changed. It
 * has one signature, which names inputs as the model's first does and values by their tensors. Values that are computed
 * from constants alone are left out: LiteRT computes them once, and does not write them when they are outputs.
 * @throws AppError UNSUPPORTED where the first signature runs another graph, and for sparse weights
 */
export function observedCopy(
  index: LitertIndex,
  source: PagedBytes,
  values: readonly string[],
  what: ObservedKind,
): Layout {
  const signature = firstSignature(index, source);
  if (signature.graph.index !== 0)
    throw new AppError('UNSUPPORTED', 'has a first signature that does not run its first graph', {
      file: source.path,
      field: 'signature_defs[0].subgraph_index',
      found: String(signature.graph.index),
      expected: '0',
    });
  assertDense(index, source);
  const edits = index.graphs.map((graph) => new GraphEdit(graph));
  const codes = new OperatorCodes(tablesOf(index.root, 'operator_codes'));
  const observed = new Observed(edits[0]!, codes);
  const constants = constantsOf(index);
  const added = values.flatMap((name): NamedTensor[] => {
    const tensor = observed.tensorOf(name);
    if (tensor === undefined || constants.has(tensor)) return [];
    if (what === 'shapes') return observed.shapeOf(name, tensor);
    return what === 'floats' && holdsCodes(index.graphs[0]!.tensors[tensor]!)
      ? [observed.floatOf(name, tensor)]
      : observed.valueOf(name, tensor);
  });
  const taken = new Set(added.map(({ name }) => name));
  const outputs = signature.outputs.map(({ name, tensor }) => ({
    name: taken.has(name) ? `${name}${OUTPUT_SUFFIX}` : name,
    tensor,
  }));
  const signatures = [signatureOf(signature.inputs, [...outputs, ...added])];
  const told = { told: [], limit: Infinity, signatures };
  const pieces = assembleModel({ index, source, ...told }, new Map(), edits, codes)!;
  return { pieces, beside: [], bytes: piecesLength(pieces), quantized: [], refused: [] };
}

/**
 * XNNPACK runs sparse weights in another memory layout. In LiteRT 2.5 a value of it that is also an output makes all
 * outputs wrong: those of the full-range face detector become a third of their size.
 */
function assertDense({ graphs }: LitertIndex, { path }: PagedBytes): void {
  const sparse = graphs.flatMap(({ tensors }) => tensors).find(({ isSparse }) => isSparse);
  if (sparse === undefined) return;
  throw new AppError(
    'UNSUPPORTED',
    'has sparse weights, and LiteRT computes wrong values when those between are observed',
    {
      file: path,
      field: sparse.name,
      found: 'a sparse tensor',
      expected: 'dense weights',
    },
  );
}

/** Operators that give other values from run to run, whatever they take. */
const VARYING: ReadonlySet<string> = new Set([...RANDOM_OPERATORS, 'VAR_HANDLE', 'READ_VARIABLE']);

/** Tensors of the first graph that are stored, or computed from stored ones alone. */
function constantsOf(index: LitertIndex): ReadonlySet<number> {
  const { tensors, operators } = index.graphs[0]!;
  const constants = new Set<number>();
  for (const [tensor, { buffer }] of tensors.entries())
    if (isStored(index, buffer)) constants.add(tensor);
  for (const { op, isCustom, inputs, outputs } of operators) {
    const isConstant = inputs.every((input) => input < 0 || constants.has(input));
    if (isConstant && !isCustom && !VARYING.has(op))
      for (const output of outputs) constants.add(output);
  }
  return constants;
}

/** Outputs that are added to the first graph. */
class Observed {
  private readonly edit: GraphEdit;
  private readonly codes: OperatorCodes;
  private readonly byName = new Map<string, number>();

  constructor(edit: GraphEdit, codes: OperatorCodes) {
    [this.edit, this.codes] = [edit, codes];
    const { tensors } = edit.graph;
    for (const [tensor, { name }] of tensors.entries())
      if (!this.byName.has(name)) this.byName.set(name, tensor);
  }

  tensorOf(name: string): number | undefined {
    return this.byName.get(name);
  }

  /** The value itself; a copy where it is an input or an output already, as LiteRT writes each tensor once. */
  valueOf(name: string, tensor: number): NamedTensor[] {
    const { inputs, outputs, tensors } = this.edit.graph;
    if (!inputs.includes(tensor) && !outputs.includes(tensor)) {
      this.edit.addOutput(tensor);
      return [{ name, tensor }];
    }
    const { shape } = tensors[tensor]!;
    // RESHAPE takes an empty shape for a missing one.
    if (shape.length === 0) return [];
    const options = makeTable('ReshapeOptions', { new_shape: makeIndices(shape) });
    return [this.made(name, tensor, this.fieldsOf('RESHAPE', options), COPY_SUFFIX, {})];
  }

  /** What the codes of a value stand for. */
  floatOf(name: string, tensor: number): NamedTensor {
    const dtype = dtypeOfType(this.edit.graph.tensors[tensor]!.type)!;
    const fields = conversionFields(this.codes, 'DEQUANTIZE', dtype);
    return this.made(name, tensor, fields, FLOAT_SUFFIX, FLOAT_FORM);
  }

  /** None for a scalar: LiteRT cannot return an empty tensor. */
  shapeOf(name: string, tensor: number): NamedTensor[] {
    const rank = this.edit.graph.tensors[tensor]!.shape.length;
    if (rank === 0) return [];
    const type = typeOfDtype('int32')!;
    const options = makeTable('ShapeOptions', { out_type: type });
    const changes = { type, shape: makeIndices([rank]), quantization: undefined };
    const fields = this.fieldsOf('SHAPE', options);
    return [this.made(`${name}${SHAPE_SUFFIX}`, tensor, fields, SHAPE_SUFFIX, changes)];
  }

  private fieldsOf(op: string, options: TableNode): Changes {
    return {
      opcode_index: this.codes.of(op, 1),
      builtin_options_type: unionMember('BuiltinOptions', options.table),
      builtin_options: options,
    };
  }

  /** What an operator at the end of the graph makes of a tensor, as an output. */
  private made(
    name: string,
    from: number,
    fields: Changes,
    suffix: string,
    changes: Changes,
  ): NamedTensor {
    const fresh = { buffer: undefined, is_variable: undefined, shape_signature: undefined };
    const tensor = this.edit.addTensor(from, suffix, { ...fresh, ...changes });
    this.edit.add('after', this.edit.graph.operators.length - 1, from, tensor, fields);
    this.edit.addOutput(tensor);
    return { name, tensor };
  }
}
