import { packedBytes, type DtypeName } from '../../../../../shared/dtypes.ts';
import { blockAxisOf, scaleCount } from '../../../../../shared/plan.ts';
import { granularityOf, storageDtype, type Scheme } from '../../../../../shared/scheme.ts';
import { inputNamed } from '../read/graph-values.ts';
import type { GraphRecord } from '../read/records.ts';
import type { OnnxTensor } from '../read/stored.ts';
import { onnxDataType } from '../read/tensor-types.ts';
import type { Piece } from '../../../export/layout.ts';
import {
  blocksOf,
  columnBytes,
  zeroPointColumnBytes,
  type NBitsShape,
} from '../../../export/nbits-layout.ts';
import { blockNodes, blockShape, type BlockShape } from './block-restore.ts';
import type { Restore } from '../fit/dequantize.ts';
import type { WeightFit } from '../fit/fit-weight.ts';
import type { Edit } from './edits.ts';
import {
  constantMessage,
  externalMessage,
  field,
  nodeMessage,
  tensorMessage,
  valueMessage,
} from './messages.ts';
import type { FreshNames } from '../read/names.ts';
import type { SideFile } from './side-file.ts';

/** Field numbers of GraphProto and FunctionProto (onnx.proto). */
const GRAPH_NODE = 1;
export const GRAPH_INITIALIZER = 5;
const GRAPH_INPUT = 11;
const FUNCTION_NODE = 7;

/** From IR version 4 on an initializer need not be a graph input as well. */
const IR_WITHOUT_INPUTS = 4;

export interface ReplaceContext extends Pick<
  WeightFit,
  'restore' | 'isRestored' | 'needsZeroPoint' | 'scaleDtype' | 'nbits' | 'channelDims'
> {
  readonly irVersion: number;
  readonly names: FreshNames;
  /** Takes the tensors that stay outside of the model. */
  readonly side: SideFile;
}

/** The names under which a weight's parts are stored. */
export interface PartNames {
  readonly codes: string;
  readonly scale: string;
  readonly zeroPoint: string;
}

/** One tensor that takes the place of a weight: its codes, scales or zero points. */
interface Part {
  readonly name: string;
  readonly dtype: DtypeName;
  readonly dims: readonly number[];
  /** Of its data. */
  readonly length: number;
  readonly message: readonly Piece[];
}

export interface ReplacedWeight {
  readonly edits: readonly Edit[];
  readonly parts: PartNames;
  /** Bytes of all parts. */
  readonly storedBytes: number;
  /** The nodes that restore the weight under another name, for what can only take it from its own graph. */
  readonly restoreAs: (name: string) => readonly Piece[];
}

/** The edits that store one weight under a scheme and, where anything takes it, restore it under its old name. */
export function replaceWeight(
  tensor: OnnxTensor,
  scheme: Scheme,
  context: ReplaceContext,
): ReplacedWeight {
  const { ref, stored } = tensor;
  const { restore } = context;
  const split = restore?.opType === 'Blocks' ? blockShape(ref, scheme) : null;
  const parts = partsOf(tensor, scheme, scaleCount(scheme, ref), context, split);
  const restoreAs = (name: string): Piece[] =>
    restore === null ? [] : restoreNodes(tensor, scheme, restore, { parts, split, name }, context);
  const nodes = context.isRestored ? restoreAs(ref.name) : [];
  const edits =
    stored.storage === 'constant'
      ? constantEdits(tensor, parts, nodes, context)
      : initializerEdits(tensor, parts, nodes, context);
  const [codes, scale, zeroPoint] = parts.map((part) => part.name);
  return {
    edits,
    parts: { codes: codes!, scale: scale ?? '', zeroPoint: zeroPoint ?? '' },
    storedBytes: parts.reduce((sum, { length }) => sum + length, 0),
    restoreAs,
  };
}

function partsOf(
  { ref }: OnnxTensor,
  scheme: Scheme,
  scales: number,
  context: ReplaceContext,
  split: BlockShape | null,
): Part[] {
  const part = (
    suffix: string,
    which: 'codes' | 'scale' | 'zeroPoint',
    dtype: DtypeName,
    dims: readonly number[],
    length: number,
  ): Part => {
    const name = context.names.make(`${ref.name}_${suffix}`);
    const data = { kind: 'tensor', tensor: ref.id, part: which, length } as const;
    // Codes go where the values were; the few scales go into the model.
    const isOutside = which === 'codes' && ref.storage === 'external';
    const message = isOutside
      ? externalMessage(name, dtype, dims, context.side.add(data))
      : tensorMessage(name, dtype, dims, data);
    return { name, dtype, dims, length, message };
  };
  if (context.nbits !== null) return nbitsParts(context.nbits, context, part);
  const stored = storageDtype(scheme.dtype);
  const codes = packedBytes(stored, ref.elements);
  if (scheme.kind === 'cast') return [part(stored, 'codes', stored, ref.shape, codes)];
  const isChannel = granularityOf(scheme) === 'channel' && ref.axis !== null;
  const dims =
    split?.scale ?? (isChannel ? context.channelDims : undefined) ?? scaleDims(ref, scheme, scales);
  const parts = [
    part('quantized', 'codes', stored, split?.codes ?? ref.shape, codes),
    part('scale', 'scale', context.scaleDtype, dims, packedBytes(context.scaleDtype, scales)),
  ];
  if (!context.needsZeroPoint) return parts;
  return [...parts, part('zero_point', 'zeroPoint', stored, dims, packedBytes(stored, scales))];
}

type MakePart = (
  suffix: string,
  which: 'codes' | 'scale' | 'zeroPoint',
  dtype: DtypeName,
  dims: readonly number[],
  length: number,
) => Part;

function nbitsParts(
  shape: NBitsShape,
  { needsZeroPoint, scaleDtype }: ReplaceContext,
  part: MakePart,
): Part[] {
  const { n } = shape;
  const [blocks, column] = [blocksOf(shape), columnBytes(shape)];
  const parts = [
    part('quantized', 'codes', 'uint8', [n, blocks, column / blocks], n * column),
    part('scale', 'scale', scaleDtype, [n, blocks], packedBytes(scaleDtype, n * blocks)),
  ];
  if (!needsZeroPoint) return parts;
  const width = zeroPointColumnBytes(shape);
  return [...parts, part('zero_point', 'zeroPoint', 'uint8', [n, width], n * width)];
}

/** The shape of the scales: a scalar, one per channel, or the tensor's own with blocks on their axis. */
function scaleDims(ref: OnnxTensor['ref'], scheme: Scheme, scales: number): readonly number[] {
  const granularity = granularityOf(scheme);
  if (granularity === 'tensor' || ref.axis === null) return [];
  if (granularity === 'channel') return [scales];
  const axis = blockAxisOf(ref.shape, ref.axis);
  const { block } = granularity;
  return ref.shape.map((dim, at) => (at === axis ? Math.ceil(dim / block) : dim));
}

/** DequantizeLinear's attributes for a scheme's granularity. */
function dequantizeAttributes(
  ref: OnnxTensor['ref'],
  scheme: Scheme,
): Readonly<Record<string, number>> {
  const granularity = granularityOf(scheme);
  if (granularity === 'tensor' || ref.axis === null) return {};
  if (granularity === 'channel') return { axis: ref.axis };
  return { axis: blockAxisOf(ref.shape, ref.axis), block_size: granularity.block };
}

/** The nodes from the stored parts to a name, the old one or another, in order. */
function restoreNodes(
  { ref }: OnnxTensor,
  scheme: Scheme,
  restore: Restore,
  {
    parts,
    split,
    name,
  }: { readonly parts: readonly Part[]; readonly split: BlockShape | null; readonly name: string },
  { names, scaleDtype }: ReplaceContext,
): Piece[] {
  const inputs = parts.map((part) => part.name);
  if (split !== null) {
    const [codes, scale, zeroPoint = null] = inputs;
    return blockNodes(ref, { codes: codes!, scale: scale!, zeroPoint }, split, names);
  }
  const cast = (input: string, output: string): Piece =>
    nodeMessage({
      opType: 'Cast',
      domain: '',
      name: names.make(`${ref.name}_Cast`),
      inputs: [input],
      outputs: [output],
      integers: { to: onnxDataType(ref.dtype) },
    });
  if (restore.opType === 'Cast') return [cast(inputs[0]!, name)];
  const needsCast = ref.dtype !== scaleDtype;
  const output = needsCast ? names.make(`${ref.name}_${scaleDtype}`) : name;
  const dequantize = nodeMessage({
    opType: 'DequantizeLinear',
    domain: restore.domain,
    name: names.make(`${ref.name}_DequantizeLinear`),
    inputs,
    outputs: [output],
    integers: dequantizeAttributes(ref, scheme),
  });
  return needsCast ? [dequantize, cast(output, name)] : [dequantize];
}

/** The field of a graph or a function that holds a node. */
export function nodeField({ kind }: GraphRecord): number {
  return kind === 'function' ? FUNCTION_NODE : GRAPH_NODE;
}

/**
 * A Constant node becomes initializers of the parts and the restoring nodes, in the same place. A
 * function has no initializers, and before IR 4 they would have to be graph inputs: there the parts
 * are Constants, too.
 */
function constantEdits(
  { stored }: OnnxTensor,
  parts: readonly Part[],
  nodes: readonly Piece[],
  { irVersion }: ReplaceContext,
): Edit[] {
  const { frame } = stored.node!;
  const number = nodeField(stored.graph);
  const pieces = [
    ...parts.flatMap((part) =>
      stored.graph.kind === 'graph' && irVersion >= IR_WITHOUT_INPUTS
        ? field(GRAPH_INITIALIZER, part.message)
        : field(number, constantMessage(part.name, part.message)),
    ),
    ...nodes.flatMap((node) => field(number, [node])),
  ];
  return [{ start: frame.start, end: frame.end, pieces, frame: frame.parent }];
}

/** An initializer becomes initializers of the parts; the restoring nodes go before the graph's first node. */
function initializerEdits(
  { stored }: OnnxTensor,
  parts: readonly Part[],
  nodes: readonly Piece[],
  context: ReplaceContext,
): Edit[] {
  const { graph } = stored;
  const { frame } = stored.tensor!;
  const firstNode = graph.nodes[0]?.frame.start ?? graph.frame.payload;
  const edits: Edit[] = [
    {
      start: frame.start,
      end: frame.end,
      pieces: parts.flatMap((part) => field(GRAPH_INITIALIZER, part.message)),
      frame: graph.frame,
    },
    {
      start: firstNode,
      end: firstNode,
      pieces: nodes.flatMap((node) => field(GRAPH_NODE, [node])),
      frame: graph.frame,
    },
  ];
  const input = inputNamed(graph, stored.name);
  if (input === undefined) return edits;
  // The old name is now computed, so it can be no input; before IR 4 the new initializers must be.
  const listed =
    context.irVersion < IR_WITHOUT_INPUTS
      ? parts.flatMap((part) =>
          field(GRAPH_INPUT, [valueMessage(part.name, part.dtype, part.dims)]),
        )
      : [];
  return [...edits, { ...input.span, pieces: listed, frame: graph.frame }];
}
