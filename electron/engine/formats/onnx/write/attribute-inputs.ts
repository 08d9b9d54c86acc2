import { onnxDataType } from '../read/tensor-types.ts';
import type { AttributeRecord, GraphRecord, NodeRecord, OnnxIndex } from '../read/records.ts';
import type { Edit } from './edits.ts';
import { field, nameField, smallConstant } from './messages.ts';
import type { FreshNames } from '../read/names.ts';
import { nodeField } from './replace-weight.ts';

/** NodeProto.input */
const NODE_INPUT = 1;

/** Attributes that became inputs, in the order of these, from an opset of ai.onnx on. */
const BECAME_INPUTS: Readonly<
  Record<string, { readonly opset: number; readonly attributes: readonly string[] }>
> = {
  Slice: { opset: 10, attributes: ['starts', 'ends', 'axes'] },
  Clip: { opset: 11, attributes: ['min', 'max'] },
};

/** Operators that an export can write as a later opset has them. */
export const REWRITTEN: ReadonlySet<string> = new Set(Object.keys(BECAME_INPUTS));

/** The edits that turn attributes into constant inputs, which say the same, where a model is raised to another opset. */
export function attributeEdits(
  { graph, functions }: OnnxIndex,
  names: FreshNames,
  raised: { isRaisedTo(opset: number): boolean },
): Edit[] {
  const editsIn = (each: GraphRecord): Edit[] =>
    each.nodes.flatMap((node) => [
      ...editsOf(node, each, names, raised),
      ...node.attributes.flatMap(({ graphs }) => graphs.flatMap(editsIn)),
    ]);
  return [graph, ...functions].flatMap(editsIn);
}

function editsOf(
  node: NodeRecord,
  graph: GraphRecord,
  names: FreshNames,
  raised: { isRaisedTo(opset: number): boolean },
): Edit[] {
  const rule = node.domain === '' ? BECAME_INPUTS[node.opType] : undefined;
  if (rule === undefined || node.inputs.length !== 1 || !raised.isRaisedTo(rule.opset)) return [];
  const { frame } = node;
  const given = rule.attributes.map((name) =>
    node.attributes.find((attribute) => attribute.name === name),
  );
  const made = given.map((attribute) =>
    attribute === undefined
      ? { input: '', pieces: [] }
      : constantOf(
          attribute,
          names.make(`${node.outputs[0] ?? node.opType}_${attribute.name}`),
          graph,
        ),
  );
  const last = made.findLastIndex(({ input }) => input !== '');
  return [
    {
      start: frame.start,
      end: frame.start,
      pieces: made.flatMap(({ pieces }) => pieces),
      frame: graph.frame,
    },
    ...given.flatMap((attribute): Edit[] =>
      attribute === undefined ? [] : [{ ...attribute.span, pieces: [], frame }],
    ),
    {
      start: frame.end,
      end: frame.end,
      pieces: made.slice(0, last + 1).map(({ input }) => nameField(NODE_INPUT, input)),
      frame,
    },
  ];
}

/** A Constant of an attribute's integers, or of its one number. */
function constantOf({ integers, real }: AttributeRecord, input: string, graph: GraphRecord) {
  const values = real === null ? BigInt64Array.from(integers, BigInt) : Float32Array.of(real);
  const tensor = {
    dims: real === null ? [integers.length] : [],
    dataType: onnxDataType(real === null ? 'int64' : 'float32'),
    rawData: new Uint8Array(values.buffer),
  };
  return { input, pieces: field(nodeField(graph), [smallConstant(input, tensor)]) };
}
