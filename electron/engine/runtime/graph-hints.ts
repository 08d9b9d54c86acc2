import { integerAttribute } from '../formats/onnx/read/node-slots.ts';
import type { GraphRecord, NodeRecord, OnnxIndex } from '../formats/onnx/read/records.ts';
import { tensorType } from '../formats/onnx/read/tensor-types.ts';
import type { OnnxTensor } from '../formats/onnx/read/stored.ts';
import type { RunHints } from './inputs.ts';

/** What the graph of an ONNX model tells about its inputs and its runs. */
export function graphHints(index: OnnxIndex, tensors: readonly OnnxTensor[]): RunHints {
  const nodes = [...allNodes([index.graph, ...index.functions])];
  const source = inputsBehind(index.graph, nodes);
  return {
    runtime: 'onnxruntime',
    limits: indexLimits(source, nodes, tensors),
    states: initialStates(source, nodes),
    random: nodes.filter(drawsRandomNumbers).map(({ opType, name, attributes }) => ({
      operator: `${opType} "${name}"`,
      isSeeded: attributes.some((attribute) => attribute.name === 'seed'),
    })),
    unpassable: [
      ...index.graph.inputs.map((value) => ({ ...value, kind: 'input' as const })),
      ...index.graph.outputs.map((value) => ({ ...value, kind: 'output' as const })),
    ]
      .filter(({ dataType }) => NODE_CANNOT_PASS.has(dataType))
      .map(({ name, kind, dataType }) => ({
        kind,
        name,
        type: tensorType(dataType)?.dtype ?? `data type ${dataType}`,
      })),
  };
}

/**
 * TensorProto types with which onnxruntime-node 1.30 does not load a model when they are an input's or
 * output's (dist/backend.js, dataTypeStrings): complex, bfloat16, float8, float4 and 2-bit integers.
 */
const NODE_CANNOT_PASS: ReadonlySet<number> = new Set([14, 15, 16, 17, 18, 19, 20, 23, 24, 25, 26]);

function* allNodes(graphs: readonly GraphRecord[]): Generator<NodeRecord> {
  for (const graph of graphs)
    for (const node of graph.nodes) {
      yield node;
      yield* allNodes(node.attributes.flatMap((attribute) => attribute.graphs));
    }
}

/** Operators whose output holds values of their first input and nothing computed from them. */
const HANDS_ON = new Set(
  'Identity Cast Reshape Squeeze Unsqueeze Flatten Transpose Slice Split Expand Gather'.split(' '),
);

/** For each name that only hands on values of a graph input: that input. Names are unique in a model. */
function inputsBehind(graph: GraphRecord, nodes: readonly NodeRecord[]): (name: string) => string {
  const initial = new Set(graph.initializers.map(({ name }) => name));
  const source = new Map<string, string>();
  for (const { name } of graph.inputs) if (!initial.has(name)) source.set(name, name);
  for (const node of nodes) {
    const from = source.get(node.inputs[0] ?? '');
    if (from !== undefined && HANDS_ON.has(node.opType))
      for (const output of node.outputs) source.set(output, from);
  }
  return (name) => source.get(name) ?? '';
}

/** For each graph input that indexes a stored table: how many rows the smallest such table has. */
function indexLimits(
  source: (name: string) => string,
  nodes: readonly NodeRecord[],
  tensors: readonly OnnxTensor[],
): RunHints['limits'] {
  // A map, and fromEntries: an input may be called constructor or __proto__.
  const limits = new Map<string, number>();
  const limit = (name: string, rows: number): void => {
    const input = source(name);
    if (input !== '' && rows > 0) limits.set(input, Math.min(limits.get(input) ?? rows, rows));
  };
  for (const { ref, stored } of tensors)
    for (const { op, input, record, inputs } of stored.uses) {
      const axis = integerAttribute(record, op === 'Gather' ? 'axis' : 'gather_axis', 0);
      const rows = ref.shape.at(axis) ?? 1;
      if (INDEXED.has(op) && input === 0) limit(inputs[1] ?? '', rows);
      const indices = op === 'EmbedLayerNormalization' ? EMBED_INDICES[input] : undefined;
      if (indices !== undefined) limit(inputs[indices] ?? '', rows);
    }
  return Object.fromEntries(limits);
}

const INDEXED = new Set(['Gather', 'GatherBlockQuantized']);
/** EmbedLayerNormalization (com.microsoft): which input indexes the table that is input 2, 3 or 4. */
const EMBED_INDICES: Readonly<Record<number, number>> = { 2: 0, 3: 7, 4: 1 };

/** Graph inputs that are the initial_h or initial_c of a recurrent operator (inputs 5 and 6 of LSTM, GRU, RNN). */
function initialStates(
  source: (name: string) => string,
  nodes: readonly NodeRecord[],
): readonly string[] {
  const states = new Set<string>();
  for (const { opType, inputs } of nodes)
    if (/^(LSTM|GRU|RNN|DynamicQuantizeLSTM)$/.test(opType))
      for (const name of inputs.slice(5, 7)) states.add(source(name));
  states.delete('');
  return [...states];
}

const RANDOM = new Set(
  'RandomNormal RandomNormalLike RandomUniform RandomUniformLike Multinomial Bernoulli'.split(' '),
);

/** Dropout draws only with a training_mode input (opset 12 and later; before that it never does in inference). */
function drawsRandomNumbers({ opType, inputs }: NodeRecord): boolean {
  return RANDOM.has(opType) || (opType === 'Dropout' && (inputs[2] ?? '') !== '');
}
