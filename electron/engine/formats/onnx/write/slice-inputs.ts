import { onnxDataType } from '../read/tensor-types.ts';
import type { GraphRecord, NodeRecord, OnnxIndex } from '../read/records.ts';
import type { Edit } from './edits.ts';
import { field, nameField, smallConstant } from './messages.ts';
import type { FreshNames } from './names.ts';
import { nodeField } from './replace-weight.ts';

/** The opset from which Slice takes its limits as inputs; before, they are attributes. */
export const SLICE_OPSET = 10;

/** NodeProto.input */
const NODE_INPUT = 1;

const LIMITS = ['starts', 'ends', 'axes'];

/** The edits that turn the attributes of each Slice into constant inputs, which say the same from opset 10 on. */
export function sliceEdits({ graph, functions }: OnnxIndex, names: FreshNames): Edit[] {
  return [graph, ...functions].flatMap((each) => editsIn(each, names));
}

function editsIn(graph: GraphRecord, names: FreshNames): Edit[] {
  return graph.nodes.flatMap((node) => [
    ...(isOldSlice(node) ? editsOf(node, graph, names) : []),
    ...node.attributes.flatMap(({ graphs }) => graphs.flatMap((inner) => editsIn(inner, names))),
  ]);
}

function isOldSlice({ opType, domain, inputs }: NodeRecord): boolean {
  return opType === 'Slice' && domain === '' && inputs.length === 1;
}

function editsOf(node: NodeRecord, graph: GraphRecord, names: FreshNames): Edit[] {
  const { frame } = node;
  const given = LIMITS.flatMap((limit) => node.attributes.filter(({ name }) => name === limit));
  const inputs = given.map(({ name, integers }) => {
    const made = names.make(`${node.outputs[0] ?? node.opType}_${name}`);
    const values = BigInt64Array.from(integers, BigInt);
    const tensor = {
      dims: [integers.length],
      dataType: onnxDataType('int64'),
      rawData: new Uint8Array(values.buffer),
    };
    return { made, constant: field(nodeField(graph), [smallConstant(made, tensor)]) };
  });
  return [
    {
      start: frame.start,
      end: frame.start,
      pieces: inputs.flatMap(({ constant }) => constant),
      frame: graph.frame,
    },
    ...given.map(({ span }): Edit => ({ ...span, pieces: [], frame })),
    {
      start: frame.end,
      end: frame.end,
      pieces: inputs.map(({ made }) => nameField(NODE_INPUT, made)),
      frame,
    },
  ];
}
