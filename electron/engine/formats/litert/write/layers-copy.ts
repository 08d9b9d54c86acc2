import { piecesLength, type Layout } from '../../../export/layout.ts';
import type { LayerCopy } from '../../format.ts';
import { holdsCodes, type LitertGraph } from '../read/graph.ts';
import {
  makeIndices,
  makeString,
  makeTable,
  makeTables,
  tablesOf,
  withFields,
  type Changes,
  type TableNode,
} from '../read/nodes.ts';
import type { PagedBytes } from '../read/paged-bytes.ts';
import type { GraphRecord, LitertIndex } from '../read/records.ts';
import type { NamedTensor } from '../read/signature.ts';
import { dtypeOfType } from '../read/tensor-types.ts';
import { isStored } from '../read/tensors.ts';
import { assembleModel } from './assemble.ts';
import { conversionFields, FLOAT_FORM, type Conversion } from './conversions.ts';
import { GraphEdit } from './graph-edit.ts';
import { OperatorCodes } from './operator-codes.ts';
import { signatureOf } from './signature.ts';

/**
 * A copy of a model that holds parts of its first graph beside each other, each with inputs and outputs of its own,
 * under its prefix. Stored tensors are shared; other graphs stay, for operators that run them. Values that are codes
 * are given and taken as the floats that these stand for.
 */
export function layersCopy(
  index: LitertIndex,
  source: PagedBytes,
  graph: LitertGraph,
  layers: readonly LayerCopy[],
): Layout {
  const codes = new OperatorCodes(tablesOf(index.root, 'operator_codes'));
  const parts = new Parts(index, graph, codes);
  for (const layer of layers) parts.add(layer);
  const others = index.graphs.slice(1).map((each) => new GraphEdit(each));
  const told = {
    told: [],
    limit: Infinity,
    signatures: [signatureOf(parts.inputs, parts.outputs)],
  };
  const edits = [parts, ...others];
  const pieces = assembleModel({ index, source, ...told }, new Map(), edits, codes)!;
  return { pieces, beside: [], bytes: piecesLength(pieces), quantized: [], refused: [] };
}

class Parts {
  readonly inputs: NamedTensor[] = [];
  readonly outputs: NamedTensor[] = [];
  private readonly index: LitertIndex;
  private readonly record: GraphRecord;
  private readonly graph: LitertGraph;
  private readonly codes: OperatorCodes;
  private readonly tensors: TableNode[];
  private readonly operators: TableNode[] = [];
  /** Of the first graph, by name. */
  private readonly named: ReadonlyMap<string, number>;

  constructor(index: LitertIndex, graph: LitertGraph, codes: OperatorCodes) {
    [this.index, this.graph, this.codes] = [index, graph, codes];
    this.record = index.graphs[0]!;
    this.tensors = this.record.tensors.map(({ node }) => node);
    const named = new Map<string, number>();
    for (const [value, { name, graph: home }] of graph.values.entries())
      if (home === '' && !named.has(name)) named.set(name, graph.tensorOf[value]!);
    this.named = named;
  }

  add({ prefix, operators, inputs, outputs }: LayerCopy): void {
    const own = new Map<number, number>();
    const placeOf = (tensor: number): number => {
      if (tensor < 0 || isStored(this.index, this.record.tensors[tensor]!.buffer)) return tensor;
      const known = own.get(tensor) ?? this.tensor(tensor, prefix, {});
      own.set(tensor, known);
      return known;
    };
    for (const { name } of inputs) {
      const tensor = this.named.get(name)!;
      const given = this.floatOf(tensor, prefix, placeOf(tensor));
      if (this.isCodes(tensor)) this.convert('QUANTIZE', given, placeOf(tensor), tensor);
      this.inputs.push({ name: prefix + name, tensor: given });
    }
    for (const id of operators) {
      const { node, inputs: taken, outputs: made } = this.record.operators[id]!;
      const [from, to] = [taken, made].map((places) => makeIndices(places.map(placeOf)));
      this.operators.push(withFields(node, { inputs: from, outputs: to }));
    }
    for (const name of outputs) {
      const tensor = this.named.get(name)!;
      const given = this.floatOf(tensor, prefix, placeOf(tensor));
      if (this.isCodes(tensor)) this.convert('DEQUANTIZE', placeOf(tensor), given, tensor);
      this.outputs.push({ name: prefix + name, tensor: given });
    }
  }

  /** A tensor beside one of codes that holds what these stand for; the tensor itself where it holds none. */
  private floatOf(tensor: number, prefix: string, place: number): number {
    return this.isCodes(tensor) ? this.tensor(tensor, `${prefix}float/`, FLOAT_FORM) : place;
  }

  /** The graph of the parts; none of the operators before is where it was. */
  finish(): ReturnType<GraphEdit['finish']> {
    const node = withFields(this.record.node, {
      tensors: makeTables(this.tensors),
      operators: makeTables(this.operators),
      inputs: makeIndices(this.inputs.map(({ tensor }) => tensor)),
      outputs: makeIndices(this.outputs.map(({ tensor }) => tensor)),
    });
    return { node, moved: new Array<null>(this.record.operators.length).fill(null) };
  }

  private isCodes(tensor: number): boolean {
    return holdsCodes(this.record.tensors[tensor]!);
  }

  private tensor(like: number, prefix: string, changes: Changes): number {
    const { node, name } = this.record.tensors[like]!;
    return this.tensors.push(withFields(node, { name: makeString(prefix + name), ...changes })) - 1;
  }

  private convert(op: Conversion, from: number, to: number, like: number): void {
    const dtype = dtypeOfType(this.record.tensors[like]!.type)!;
    this.operators.push(
      makeTable('Operator', {
        ...{ inputs: makeIndices([from]), outputs: makeIndices([to]) },
        ...conversionFields(this.codes, op, dtype),
      }),
    );
  }
}
