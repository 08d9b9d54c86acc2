import { packedBytes, type DtypeName } from '../../../../../shared/dtypes.ts';
import type { Consumer, Role, StoredQuantization, TensorRef } from '../../../../../shared/model.ts';
import { shortName } from '../../../../../shared/short-name.ts';
import { elementsOf } from './check-tensor.ts';
import { outranks, type Slot } from '../../slot.ts';
import { numberOf } from './nodes.ts';
import { handsOn, slotOf } from './operators.ts';
import type { GraphRecord, LitertIndex, OperatorRecord, TensorRecord } from './records.ts';
import { dtypeOfType } from './tensor-types.ts';

/** One operator input that a stored tensor feeds. */
export interface Use {
  readonly graph: GraphRecord;
  readonly operator: OperatorRecord;
  /** Position of the operator in its graph. */
  readonly at: number;
  readonly input: number;
}

/** A tensor of a graph whose values a buffer holds. */
export interface StoredTensor {
  readonly graph: GraphRecord;
  readonly tensor: TensorRecord;
  /** Its index in the graph. */
  readonly index: number;
  readonly uses: readonly Use[];
}

/** A stored tensor, once for all the tensors that share its buffer, its type and its shape. */
export interface LitertTensor {
  readonly ref: TensorRef;
  readonly stored: readonly StoredTensor[];
  readonly buffer: number;
}

/** Whether a buffer holds values; that of a value between operators holds none. */
export function isStored({ buffers }: LitertIndex, buffer: number): boolean {
  return (buffers[buffer] ?? null) !== null;
}

/** Every tensor that a buffer holds values of, in the order of the graphs. */
export function buildTensors(index: LitertIndex): LitertTensor[] {
  const groups = new Map<string, StoredTensor[]>();
  const perBuffer = new Map<number, number>();
  for (const graph of index.graphs) {
    const uses = consumersOf(graph);
    for (const [at, tensor] of graph.tensors.entries()) {
      if (!isStored(index, tensor.buffer)) continue;
      const key = `${tensor.buffer} ${tensor.type} ${tensor.shape.join(',')} ${tensor.isSparse}`;
      const group = groups.get(key) ?? [];
      if (group.length === 0) perBuffer.set(tensor.buffer, (perBuffer.get(tensor.buffer) ?? 0) + 1);
      group.push({ graph, tensor, index: at, uses: uses.get(at) ?? [] });
      groups.set(key, group);
    }
  }
  return [...groups.values()].map((stored, id) => {
    const { buffer } = stored[0]!.tensor;
    const isShared = perBuffer.get(buffer)! > 1;
    return { ref: refOf(id, stored, index, isShared), stored, buffer };
  });
}

function usesOf(graph: GraphRecord): Map<number, Use[]> {
  const uses = new Map<number, Use[]>();
  for (const [at, operator] of graph.operators.entries())
    for (const [input, tensor] of operator.inputs.entries()) {
      if (tensor < 0) continue;
      const list = uses.get(tensor) ?? [];
      list.push({ graph, operator, at, input });
      uses.set(tensor, list);
    }
  return uses;
}

function refOf(
  id: number,
  stored: readonly StoredTensor[],
  { graphs, buffers }: LitertIndex,
  isShared: boolean,
): TensorRef {
  const { tensor, graph } = stored[0]!;
  const buffer = buffers[tensor.buffer]!;
  const dtype = dtypeOfType(tensor.type)!;
  const use = mainUse(stored, tensor.shape.length, graphs);
  const elements = elementsOf(tensor.shape);
  const fixed = whyFixed(stored, isShared);
  return {
    id,
    name: tensor.name,
    dtype,
    shape: tensor.shape,
    elements,
    bytes: tensor.isSparse || dtype === 'string' ? buffer.length : packedBytes(dtype, elements),
    layer: use === null ? tensor.name : layerOf(shortName(nameOf(use.use)), shortName(tensor.name)),
    op: use?.use.operator.op ?? 'none',
    role: roleOf(tensor, dtype, use?.slot ?? null),
    axis: use?.slot.axis ?? null,
    storage: 'inline',
    graph: graph.path,
    consumers: stored.flatMap(({ uses }) => uses.map(consumerOf)),
    quantization: quantizationOf(tensor),
    ...(fixed === null ? {} : { fixed }),
    data: {
      encoding: 'raw',
      ranges: [{ file: 0, offset: buffer.offset, length: buffer.length }],
    },
  };
}

/** What keeps every recipe off a tensor, beside its role and type. */
function whyFixed(stored: readonly StoredTensor[], isShared: boolean): string | null {
  if (stored.some(({ tensor }) => tensor.isSparse)) return 'sparse, stored without its zeros';
  if (isShared) return 'its bytes are shared with a tensor of another shape or type';
  return null;
}

/** Operators have no names; their first output says which one it is. */
function nameOf({ graph, operator }: Use): string {
  const output = operator.outputs[0] ?? -1;
  return graph.tensors[output]?.name ?? operator.op;
}

/** The last step of a path in a TensorFlow graph, which is an operator of the layer: conv2d_1/Conv2D. */
const TENSORFLOW_OPERATOR = /\/(?:[A-Z]\w*|depthwise)$/;

/**
 * The layer of a weight. The converter names what it fused by all of its parts, with semicolons between:
 * the layer is the part that the weight is named after, else the first.
 */
function layerOf(name: string, weight: string): string {
  const parts = name.split(';');
  const own = parts.find((part) => part !== '' && weight.startsWith(part)) ?? parts[0]!;
  return own.replace(TENSORFLOW_OPERATOR, '');
}

function consumerOf(use: Use): Consumer {
  return { node: nameOf(use), op: use.operator.op, input: use.input };
}

interface MainUse {
  readonly use: Use;
  readonly slot: Slot;
}

/** The use that says what a tensor is: the first weight, else the first embedding, and so on. */
function mainUse(
  stored: readonly StoredTensor[],
  rank: number,
  graphs: readonly GraphRecord[],
): MainUse | null {
  let best: MainUse | null = null;
  for (const { uses } of stored)
    for (const use of realUses(uses, graphs)) {
      const slot = slotOf(use.operator, use.input, rank);
      if (best === null || outranks(slot.role, best.slot.role)) best = { use, slot };
    }
  return best;
}

/**
 * Uses behind loops and branches that are looked at for one tensor: a graph's input may stand for thousands
 * of tensors and have thousands of uses. The first ones say what it is.
 */
const MAX_BEHIND = 256;

/** The uses of a value, or those behind the operators that only hand it on, loops and branches among them. */
function realUses(uses: readonly Use[], graphs: readonly GraphRecord[]): Use[] {
  const found: Use[] = [];
  const seen = new Set<string>();
  const pending = [...uses];
  let followed = 0;
  for (let use = pending.pop(); use !== undefined; use = pending.pop()) {
    let isUsed = false;
    for (const { graph, tensor } of handedOn(use, graphs)) {
      const behind = consumersOf(graph).get(tensor) ?? [];
      isUsed ||= behind.length > 0;
      const key = `${graph.index} ${tensor}`;
      // One by one: a spread of very many would overflow the stack.
      const room = Math.max(0, MAX_BEHIND - followed);
      if (!seen.has(key) && room > 0) {
        const next = behind.slice(0, room);
        for (const each of next) pending.push(each);
        followed += next.length;
      }
      seen.add(key);
    }
    if (!isUsed) found.push(use);
  }
  return found.sort((a, b) => a.graph.index - b.graph.index || a.at - b.at);
}

interface Place {
  readonly graph: GraphRecord;
  readonly tensor: number;
}

/**
 * Where a value goes on as it is: behind an operator that hands it on, in a loop that does not change it, in
 * the branches of a condition.
 */
function handedOn(use: Use, graphs: readonly GraphRecord[]): readonly Place[] {
  const { graph, operator, input } = use;
  const output = operator.outputs[0] ?? -1;
  if (handsOn(operator, input)) return isMadeOnce(graph, output) ? [{ graph, tensor: output }] : [];
  return [...inLoop(operator, input, graphs), ...inBranches(operator, input, graphs)];
}

/**
 * The body's tensor that stands for an input of a WHILE in every turn: one that the body gives back as it
 * came, and that nothing in it writes.
 */
function inLoop(
  { op, isCustom, options }: OperatorRecord,
  input: number,
  graphs: readonly GraphRecord[],
): readonly Place[] {
  if (op !== 'WHILE' || isCustom || options?.table !== 'WhileOptions') return [];
  const body = graphs[numberOf(options, 'body_subgraph_index')];
  const kept = placeOf(body, input);
  return kept.filter(({ graph, tensor }) => graph.outputs[input] === tensor);
}

/** The tensors that stand for an input of an IF in its branches; its first input is the condition. */
function inBranches(
  { op, isCustom, options }: OperatorRecord,
  input: number,
  graphs: readonly GraphRecord[],
): readonly Place[] {
  if (op !== 'IF' || isCustom || options?.table !== 'IfOptions' || input === 0) return [];
  const branches = ['then_subgraph_index', 'else_subgraph_index'] as const;
  return branches.flatMap((branch) => placeOf(graphs[numberOf(options, branch)], input - 1));
}

/** The tensor that is an input of a graph, unless the graph writes it. */
function placeOf(graph: GraphRecord | undefined, input: number): readonly Place[] {
  const tensor = graph?.inputs[input] ?? -1;
  return graph !== undefined && tensor >= 0 && !isMade(graph, tensor) ? [{ graph, tensor }] : [];
}

const consumers = new WeakMap<GraphRecord, Map<number, Use[]>>();

/** The uses of each tensor of a graph, by its index. */
export function consumersOf(graph: GraphRecord): Map<number, Use[]> {
  const known = consumers.get(graph) ?? usesOf(graph);
  consumers.set(graph, known);
  return known;
}

/**
 * The tensor that a DEQUANTIZE makes; null for another operator, and where the output is absent. An absent
 * output is -1, as an absent input is: kept under that number it would be found as the input of any operator.
 */
export function restoredBy({ op, isCustom, outputs }: OperatorRecord): number | null {
  const output = outputs[0] ?? -1;
  return op === 'DEQUANTIZE' && !isCustom && output >= 0 ? output : null;
}

const producers = new WeakMap<GraphRecord, ReadonlyMap<number, number>>();

/** Whether only one operator makes a tensor, as it must be; where several do, nothing is said of it. */
export function isMadeOnce(graph: GraphRecord, tensor: number): boolean {
  return producersOf(graph).get(tensor) === 1;
}

function isMade(graph: GraphRecord, tensor: number): boolean {
  return producersOf(graph).has(tensor);
}

function producersOf(graph: GraphRecord): ReadonlyMap<number, number> {
  const counts = producers.get(graph) ?? countProducers(graph);
  producers.set(graph, counts);
  return counts;
}

function countProducers(graph: GraphRecord): ReadonlyMap<number, number> {
  const counts = new Map<number, number>();
  for (const { outputs } of graph.operators)
    for (const output of outputs)
      if (output >= 0) counts.set(output, (counts.get(output) ?? 0) + 1);
  return counts;
}

const boundaries = new WeakMap<GraphRecord, ReadonlySet<number>>();

/** The tensors that are inputs or outputs of a graph. */
export function boundaryOf(graph: GraphRecord): ReadonlySet<number> {
  const known =
    boundaries.get(graph) ??
    new Set([...graph.inputs, ...graph.outputs].filter((tensor) => tensor >= 0));
  boundaries.set(graph, known);
  return known;
}

function roleOf(tensor: TensorRecord, dtype: DtypeName, slot: Slot | null): Role {
  if (slot === null) return 'other';
  const isFloat = dtype.includes('float');
  if (!isFloat && quantizationOf(tensor) === null) return 'constant';
  // What is added along more than one axis is a parameter of its own, such as a position table.
  if (slot.role === 'bias' && tensor.shape.filter((dim) => dim > 1).length > 1) return 'constant';
  return slot.role;
}

function quantizationOf(tensor: TensorRecord): StoredQuantization | null {
  const { scale, zeroPoint, axis, blockSize } = tensor;
  if (scale.length === 0 && blockSize === null) return null;
  const isPerAxis = scale.length > 1 || blockSize !== null;
  return { scale, zeroPoint, axis: isPerAxis ? axis : null, blockSize };
}
