import { piecesLength, type Layout, type Piece } from '../../../export/layout.ts';
import type { FileSource } from '../../../source.ts';
import type { LayerCopy } from '../../format.ts';
import type { OnnxGraph } from '../read/graph.ts';
import type { NodeRecord, OnnxIndex, Span } from '../read/records.ts';
import type { OnnxTensor } from '../read/stored.ts';
import { applyEdits, type Edit } from './edits.ts';
import { field, nameField, typedValueMessage } from './messages.ts';

/** Field numbers of GraphProto and NodeProto (onnx.proto). */
const GRAPH_NODE = 1;
const GRAPH_INPUT = 11;
const GRAPH_OUTPUT = 12;
const VALUE_NAME = 1;
const NODE_INPUT = 1;
const NODE_OUTPUT = 2;

/**
 * A copy of a model that holds parts of its main graph beside each other, each with inputs and outputs of its own.
 * Values of a part have its prefix before their names; stored tensors keep theirs, and those that no part takes are
 * left out.
 */
export function layersCopy(
  { index, graph, tensors }: { index: OnnxIndex; graph: OnnxGraph; tensors: readonly OnnxTensor[] },
  files: readonly FileSource[],
  layers: readonly LayerCopy[],
): Layout {
  const main = index.graph;
  const kept = new Set<string>();
  const pieces = layers.flatMap((layer) => {
    for (const id of layer.operators)
      for (const input of graph.operators[id]!.inputs)
        if (input?.kind === 'tensor') kept.add(tensors[input.tensor]!.stored.name);
    return layerPieces(layer, graph);
  });
  const isKept = ({ name }: { readonly name: string }): boolean => kept.has(name);
  const isConstant = ({ opType, outputs }: NodeRecord): boolean =>
    opType === 'Constant' && kept.has(outputs[0] ?? '');
  const spans: readonly Span[] = [
    ...main.nodes.filter((node) => !isConstant(node)).map(({ frame }) => frame),
    ...main.initializers.filter((tensor) => !isKept(tensor)).map(({ frame }) => frame),
    ...main.inputs.filter((input) => !isKept(input)).map(({ span }) => span),
    ...main.outputs.map(({ span }) => span),
  ];
  const { end } = main.frame;
  const edits: Edit[] = [
    ...spans.map((span) => ({ start: span.start, end: span.end, pieces: [], frame: main.frame })),
    { start: end, end, pieces, frame: main.frame },
  ];
  const copied = applyEdits(edits, files[0]!.size);
  return { pieces: copied, beside: [], bytes: piecesLength(copied), quantized: [], refused: [] };
}

function layerPieces({ prefix, operators, inputs, outputs }: LayerCopy, graph: OnnxGraph): Piece[] {
  return [
    ...inputs.flatMap(({ name, dtype }) =>
      field(GRAPH_INPUT, [typedValueMessage(prefix + name, dtype)]),
    ),
    ...operators.flatMap((id) => {
      const isValue = graph.operators[id]!.inputs.map((input) => input?.kind === 'value');
      return renamedNode(graph.nodes[id]!, isValue, prefix);
    }),
    ...outputs.flatMap((name) => field(GRAPH_OUTPUT, [nameField(VALUE_NAME, prefix + name)])),
  ];
}

/** A node as it stands in the file, with other names of the values that it takes and makes. */
function renamedNode(node: NodeRecord, isValue: readonly boolean[], prefix: string): Piece[] {
  const renamed = [
    ...node.inputSpans.map((span, at) => ({
      span,
      name: isValue[at] === true ? prefix + node.inputs[at]! : null,
      number: NODE_INPUT,
    })),
    ...node.outputSpans.map((span, at) => {
      const name = node.outputs[at]!;
      return { span, name: name === '' ? null : prefix + name, number: NODE_OUTPUT };
    }),
  ].sort((a, b) => a.span.start - b.span.start);
  const pieces: Piece[] = [];
  let at = node.frame.payload;
  const copyTo = (end: number): void => {
    if (end > at) pieces.push({ kind: 'copy', file: 0, offset: at, length: end - at });
  };
  for (const { span, name, number } of renamed) {
    if (name === null) continue;
    copyTo(span.start);
    pieces.push(nameField(number, name));
    at = span.end;
  }
  copyTo(node.frame.end);
  return field(GRAPH_NODE, pieces);
}
