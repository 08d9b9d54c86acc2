import { onnx } from 'onnx-proto';
import { append } from '../../../../../shared/lists.ts';
import { valueKey } from '../../../../../shared/graph.ts';
import { piecesLength, type Layout, type Piece } from '../../../export/layout.ts';
import type { FileSource } from '../../../source.ts';
import { isOutput } from '../read/graph-values.ts';
import type { OnnxGraph } from '../read/graph.ts';
import type { GraphRecord, NodeRecord, OnnxIndex } from '../read/records.ts';
import { onnxDataType } from '../read/tensor-types.ts';
import { applyEdits, type Edit } from './edits.ts';
import { bytesPiece, field, nameField, nodeMessage, smallConstant } from './messages.ts';
import { FreshNames } from '../read/names.ts';

/** Field numbers (onnx.proto). */
const GRAPH_NODE = 1;
const GRAPH_OUTPUT = 12;
const VALUE_NAME = 1;
const NODE_OUTPUT = 2;
const NODE_ATTRIBUTE = 5;
const ATTRIBUTE_INTS = 7;

/** Attributes of Scan that have an entry for each output that is stacked, 0 by default. */
const OF_STACKED: ReadonlySet<string> = new Set(['scan_output_axes', 'scan_output_directions']);

/**
 * A copy of a model that gives some of its values as outputs, or their shapes, which take no memory; nothing else is
 * changed. onnxruntime finds the types of outputs that are declared by name alone.
 *
 * A value of a body becomes an output of the body and of the operator that runs it, up to the main graph. The other
 * branch of an If gives nothing in its place; Loop and Scan stack it over their iterations, in which its shape must
 * be the same.
 * @param values by valueKey, which is the name of the output as well
 * @param suffix what the name of a shape ends with; null gives the values themselves
 */
export function observedCopy(
  { index, graph }: { readonly index: OnnxIndex; readonly graph: () => OnnxGraph },
  files: readonly FileSource[],
  values: readonly string[],
  suffix: string | null,
): Layout {
  const copy = new ObservedCopy(index, suffix);
  const inMain = namesOfMain(index.graph);
  const isInBody = values.some((name) => !inMain.has(name));
  const inBodies = isInBody ? keysOfBodies(graph()) : new Map<string, number>();
  for (const name of values) {
    const value = inMain.has(name) ? undefined : inBodies.get(name);
    if (value === undefined) copy.giveOfMain(name);
    else copy.giveOfBody(graph(), value, name);
  }
  const pieces = applyEdits(copy.edits(), files[0]!.size);
  return { pieces, beside: [], bytes: piecesLength(pieces), quantized: [], refused: [] };
}

function namesOfMain({ inputs, nodes }: GraphRecord): ReadonlySet<string> {
  return new Set([...inputs.map(({ name }) => name), ...nodes.flatMap(({ outputs }) => outputs)]);
}

function keysOfBodies({ values }: OnnxGraph): ReadonlyMap<string, number> {
  const inBodies = values.filter(({ graph }) => graph !== '');
  return new Map(inBodies.map((value) => [valueKey(value), value.id]));
}

class ObservedCopy {
  private readonly index: OnnxIndex;
  private readonly suffix: string | null;
  private readonly names: FreshNames;
  private readonly toGraphs = new Map<GraphRecord, Piece[]>();
  /** Names of outputs that are added to operators with bodies. */
  private readonly toNodes = new Map<NodeRecord, string[]>();

  constructor(index: OnnxIndex, suffix: string | null) {
    [this.index, this.suffix] = [index, suffix];
    this.names = new FreshNames(index);
  }

  giveOfMain(name: string): void {
    const { graph } = this.index;
    if (this.suffix === null) {
      if (!isOutput(graph, name)) this.declare(graph, name);
      return;
    }
    const output = `${name}${this.suffix}`;
    this.addNode(graph, 'Shape', name, output);
    this.declare(graph, output);
  }

  giveOfBody(graph: OnnxGraph, value: number, key: string): void {
    const { name } = graph.values[value]!;
    let home = graph.homes[value]!;
    let output = this.names.make(`${name}_observed`);
    this.addNode(home, this.suffix === null ? 'Identity' : 'Shape', name, output);
    this.declare(home, output);
    for (let runner = graph.runners.get(home); runner !== undefined;) {
      const node = graph.nodes[runner]!;
      const outer = graph.graphs[runner]!;
      const next = graph.runners.get(outer);
      if (node.opType === 'If') this.giveNothing(node, home);
      output = next === undefined ? `${key}${this.suffix ?? ''}` : this.names.make(output);
      this.addOutput(node, home, output);
      this.declare(outer, output);
      [home, runner] = [outer, next];
    }
  }

  edits(): Edit[] {
    return [
      ...[...this.toGraphs].map(([{ frame }, pieces]): Edit => {
        return { start: frame.end, end: frame.end, pieces, frame };
      }),
      ...[...this.toNodes].flatMap(([node, outputs]): Edit[] => {
        const { frame } = node;
        const pieces = outputs.map((name) => nameField(NODE_OUTPUT, name));
        const added = { start: frame.end, end: frame.end, pieces, frame };
        const isNew = (name: string): boolean => name !== '';
        return [added, ...stackedEdits(node, outputs.filter(isNew).length)];
      }),
    ];
  }

  /** The branches of an If that do not have a value give none. */
  private giveNothing({ attributes }: NodeRecord, home: GraphRecord): void {
    for (const branch of attributes.flatMap(({ graphs }) => graphs)) {
      if (branch === home) continue;
      const output = this.names.make('not_computed');
      const empty = {
        dims: [0],
        dataType: onnxDataType(this.suffix === null ? 'float32' : 'int64'),
        rawData: new Uint8Array(0),
      };
      append(this.of(branch), field(GRAPH_NODE, [smallConstant(output, empty)]));
      this.declare(branch, output);
    }
  }

  private addOutput(node: NodeRecord, body: GraphRecord, name: string): void {
    const known = this.toNodes.get(node);
    if (known !== undefined) {
      known.push(name);
      return;
    }
    // The first output of a Loop's body is its condition. A node may leave out its last outputs.
    const given = body.outputs.length - (node.opType === 'Loop' ? 1 : 0);
    const left = Math.max(0, given - node.outputs.length);
    this.toNodes.set(node, [...new Array<string>(left).fill(''), name]);
  }

  private addNode(graph: GraphRecord, opType: string, input: string, output: string): void {
    const node = nodeMessage({
      ...{ opType, domain: '', name: output, integers: {} },
      ...{ inputs: [input], outputs: [output] },
    });
    append(this.of(graph), field(GRAPH_NODE, [node]));
  }

  private declare(graph: GraphRecord, name: string): void {
    append(this.of(graph), field(GRAPH_OUTPUT, [nameField(VALUE_NAME, name)]));
  }

  private of(graph: GraphRecord): Piece[] {
    const known = this.toGraphs.get(graph) ?? [];
    this.toGraphs.set(graph, known);
    return known;
  }
}

function stackedEdits({ attributes, frame, opType }: NodeRecord, added: number): Edit[] {
  return attributes.flatMap(({ name, span, integers }): Edit[] => {
    if (opType !== 'Scan' || !OF_STACKED.has(name)) return [];
    const ints = [...integers, ...new Array<number>(added).fill(0)];
    const attribute = onnx.AttributeProto.encode({ name, type: ATTRIBUTE_INTS, ints }).finish();
    return [{ ...span, pieces: field(NODE_ATTRIBUTE, [bytesPiece(attribute)]), frame }];
  });
}
