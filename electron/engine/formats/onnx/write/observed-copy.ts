import { piecesLength, type Layout } from '../../../export/layout.ts';
import type { FileSource } from '../../../source.ts';
import { isOutput } from '../read/graph-values.ts';
import type { OnnxIndex } from '../read/records.ts';
import { applyEdits } from './edits.ts';
import { field, nameField, nodeMessage } from './messages.ts';

/** Field numbers (onnx.proto). */
const GRAPH_NODE = 1;
const GRAPH_OUTPUT = 12;
const VALUE_NAME = 1;

/**
 * A copy of a model that gives some of its main graph's values as outputs, or their shapes, which take no
 * memory; nothing else is changed. onnxruntime finds the types of outputs that are declared by name alone.
 * @param suffix what the name of a shape ends with; null gives the values themselves
 */
export function observedCopy(
  { graph }: OnnxIndex,
  files: readonly FileSource[],
  values: readonly string[],
  suffix: string | null,
): Layout {
  const wanted = suffix === null ? values.filter((name) => !isOutput(graph, name)) : values;
  const pieces = wanted.flatMap((name) => {
    const output = suffix === null ? name : `${name}${suffix}`;
    const declared = field(GRAPH_OUTPUT, [nameField(VALUE_NAME, output)]);
    if (suffix === null) return declared;
    const shape = nodeMessage({
      ...{ opType: 'Shape', domain: '', name: output, integers: {} },
      ...{ inputs: [name], outputs: [output] },
    });
    return [...field(GRAPH_NODE, [shape]), ...declared];
  });
  const { end } = graph.frame;
  const copied = applyEdits([{ start: end, end, pieces, frame: graph.frame }], files[0]!.size);
  return { pieces: copied, beside: [], bytes: piecesLength(copied), quantized: [], refused: [] };
}
