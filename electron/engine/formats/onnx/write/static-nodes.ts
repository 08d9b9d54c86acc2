import type { onnx } from 'onnx-proto';
import type { DtypeName } from '../../../../../shared/dtypes.ts';
import type { BiasPlan, ValuePlan, ValueTaker } from '../../../../../shared/plan.ts';
import type { Piece } from '../../../export/layout.ts';
import type { Computing } from '../fit/request.ts';
import { usesInside } from '../fit/taken-uses.ts';
import { isOutput } from '../read/graph-values.ts';
import type { GraphRecord, NodeRecord, Span } from '../read/records.ts';
import type { OnnxTensor, Stored } from '../read/stored.ts';
import { onnxDataType } from '../read/tensor-types.ts';
import type { Edit } from './edits.ts';
import { field, initializerMessage, nameField, nodeMessage, smallConstant } from './messages.ts';
import type { FreshNames } from '../read/names.ts';
import type { Opsets } from './opsets.ts';
import { GRAPH_INITIALIZER, nodeField, type ReplacedWeight } from './replace-weight.ts';

/** Field numbers of NodeProto (onnx.proto). */
const NODE_INPUT = 1;
const NODE_OUTPUT = 2;
/** The input of Conv and Gemm that is their bias. */
const BIAS = 2;

/** From IR version 4 on an initializer need not be a graph input as well. */
const IR_WITHOUT_INPUTS = 4;

/** The opset from which ai.onnx quantizes to 8 bits, and to 16. com.microsoft does at any. */
export const QUANTIZE_16_OPSET = 21;
const OPSETS = {
  ...{ uint8: 10, int8: 10, int32: 10 },
  ...{ uint16: QUANTIZE_16_OPSET, int16: QUANTIZE_16_OPSET },
} as const;
const PER_AXIS_OPSET = 13;

export interface StaticWriting {
  readonly computing: Computing;
  readonly tensors: readonly OnnxTensor[];
  readonly names: FreshNames;
  readonly opsets: Opsets;
  /** The nodes that restore a quantized weight under a name. */
  readonly restores: ReadonlyMap<number, ReplacedWeight['restoreAs']>;
  readonly irVersion: number;
}

/** The edits that put a plan's activations and biases into a model's graphs, and the stored biases that they leave out. */
export function staticEdits(writing: StaticWriting): {
  edits: Edit[];
  dropped: ReadonlySet<number>;
} {
  const writer = new StaticWriter(writing);
  // Before what is inserted behind the same operators: that takes what the Add makes.
  for (const { operator, addsBias } of writing.computing.operators)
    if (addsBias === true) writer.addBias(operator);
  for (const value of writing.computing.activations)
    if (value.scheme !== null) writer.quantize(value);
  for (const { operator, bias } of writing.computing.operators)
    if (bias !== undefined) writer.storeBias(operator, bias);
  for (const [tensor, restoreAs] of writing.restores) writer.restoreInside(tensor, restoreAs);
  return { edits: writer.edits, dropped: writer.dropUnused() };
}

class StaticWriter {
  readonly edits: Edit[] = [];
  private readonly writing: StaticWriting;
  /** By stored bias: how many of its uses take int32 codes instead. */
  private readonly replaced = new Map<number, number>();

  constructor(writing: StaticWriting) {
    this.writing = writing;
  }

  /**
   * QuantizeLinear and DequantizeLinear behind a value, before all that take it or before some. onnxruntime fuses a
   * DequantizeLinear only with an operator of the same graph: operators in bodies have one of their own.
   */
  quantize(plan: ValuePlan): void {
    const { value, takers } = plan;
    const { nodes, values, homes } = this.writing.computing.graph;
    const { name, producer, consumers } = values[value]!;
    const home = homes[value]!;
    const { make } = this.namer(name);
    const linear = this.linear(plan, make);
    const isRenamed = takers === 'all' && producer !== null;
    const [source, restored] = isRenamed ? [make('float'), name] : [name, make('restored')];
    const { inside, others } = this.placesOf(takers === 'all' ? consumers : takers, home);
    const isRestored = takers === 'all' || others.length > 0;
    const pieces = [
      ...linear.quantize(source, home),
      ...(isRestored ? linear.dequantize(restored, home) : []),
    ];
    const at = producer === null ? firstNode(home) : nodes[producer]!.frame.end;
    this.edits.push({ start: at, end: at, pieces, frame: home.frame });
    this.takeInside(inside, linear.dequantize, make);
    if (isRenamed) {
      const output = nodes[producer]!.outputs.indexOf(name);
      this.rename(nodes[producer]!, nodes[producer]!.outputSpans[output]!, NODE_OUTPUT, source);
      return;
    }
    for (const place of others) this.takeAs(place, restored);
  }

  /** The nodes that make codes of a value, and floats of these. */
  private linear(
    { scheme, scale, zeroPoint }: ValuePlan,
    make: (suffix: string) => string,
  ): Record<'quantize' | 'dequantize', (name: string, home: GraphRecord) => Piece[]> {
    const { dtype } = scheme!;
    const [scaleName, zeroPointName, codes] = [make('scale'), make('zero_point'), make('codes')];
    const node = (opType: string, input: string, output: string, home: GraphRecord): Piece[] =>
      field(nodeField(home), [
        nodeMessage({
          ...{ opType, domain: this.domain(OPSETS[dtype]), name: make(opType), integers: {} },
          ...{ inputs: [input, scaleName, zeroPointName], outputs: [output] },
        }),
      ]);
    return {
      quantize: (input, home) => [
        ...this.stored(home, scaleName, 'float32', [], Float32Array.of(scale)),
        ...this.stored(home, zeroPointName, dtype, [], codeArray(dtype, [zeroPoint])),
        ...node('QuantizeLinear', input, codes, home),
      ],
      dequantize: (output, home) => node('DequantizeLinear', codes, output, home),
    };
  }

  /** Inputs that take codes of a value of another graph, where they compute on integers, and the others. */
  private placesOf(
    places: readonly ValueTaker[],
    home: GraphRecord,
  ): Record<'inside' | 'others', ValueTaker[]> {
    const { operators, graph } = this.writing.computing;
    const [inside, others]: [ValueTaker[], ValueTaker[]] = [[], []];
    for (const place of places) {
      const plan = operators[place.operator];
      const isInside = graph.graphs[place.operator] !== home && plan?.isInteger === true;
      const isBias = plan?.addsBias === true && place.input === BIAS;
      (isInside && !isBias ? inside : others).push(place);
    }
    return { inside, others };
  }

  /** Restore a weight of a graph around operators on integers in the graphs of those. */
  restoreInside(tensor: number, restoreAs: ReplacedWeight['restoreAs']): void {
    const weight = this.writing.tensors[tensor]!;
    this.takeInside(
      usesInside(this.writing, weight),
      (output, body) => restoreAs(output).flatMap((node) => field(nodeField(body), [node])),
      this.namer(weight.ref.name).make,
    );
  }

  /** Give inputs of operators in bodies what nodes make that each body has once, before its other nodes. */
  private takeInside(
    places: readonly ValueTaker[],
    nodesFor: (output: string, body: GraphRecord) => Piece[],
    make: (suffix: string) => string,
  ): void {
    const { graphs } = this.writing.computing.graph;
    const outputs = new Map<GraphRecord, string>();
    for (const place of places) {
      const body = graphs[place.operator]!;
      const output = outputs.get(body) ?? make('restored');
      if (!outputs.has(body)) {
        const at = firstNode(body);
        const pieces = nodesFor(output, body);
        this.edits.push({ start: at, end: at, pieces, frame: body.frame });
      }
      outputs.set(body, output);
      this.takeAs(place, output);
    }
  }

  private takeAs({ operator, input }: ValueTaker, name: string): void {
    const node = this.writing.computing.graph.nodes[operator]!;
    this.rename(node, node.inputSpans[input]!, NODE_INPUT, name);
  }

  /** Add a computed bias behind its Gemm. */
  addBias(operator: number): void {
    const { nodes, graphs } = this.writing.computing.graph;
    const [node, home] = [nodes[operator]!, graphs[operator]!];
    const name = node.outputs[0]!;
    const { make } = this.namer(name);
    const product = make('product');
    const add = nodeMessage({
      ...{ opType: 'Add', domain: '', name: make('Add'), integers: {} },
      ...{ inputs: [product, node.inputs[BIAS]!], outputs: [name] },
    });
    const { end } = node.frame;
    const pieces = field(nodeField(home), [add]);
    this.edits.push({ start: end, end, pieces, frame: home.frame });
    this.edits.push({ ...node.inputSpans[BIAS]!, pieces: [], frame: node.frame });
    this.rename(node, node.outputSpans[0]!, NODE_OUTPUT, product);
  }

  /** A bias's codes and scales beside its operator, which takes what DequantizeLinear makes of them. */
  storeBias(operator: number, { tensor, scale, codes, takesBeta }: BiasPlan): void {
    const { nodes, graphs } = this.writing.computing.graph;
    const [node, home] = [nodes[operator]!, graphs[operator]!];
    const { make } = this.namer(this.writing.tensors[tensor]!.ref.name);
    const [stored, scales, restored] = [make('quantized'), make('scale'), make('restored')];
    const dims = scale.length === 1 ? [] : [scale.length];
    const needed = scale.length === 1 ? OPSETS.int32 : PER_AXIS_OPSET;
    const dequantize = nodeMessage({
      ...{
        opType: 'DequantizeLinear',
        domain: this.domain(needed),
        name: make('DequantizeLinear'),
      },
      // Without a zero point, which is 0 for int32 (ONNX, DequantizeLinear).
      inputs: [stored, scales],
      outputs: [restored],
      integers: dims.length === 0 ? {} : { axis: 0 },
    });
    const pieces = [
      ...this.stored(home, stored, 'int32', this.biasShape(tensor, scale), codes),
      ...this.stored(home, scales, 'float32', dims, Float32Array.from(scale)),
      ...field(nodeField(home), [dequantize]),
    ];
    const { start } = node.frame;
    this.edits.push({ start, end: start, pieces, frame: home.frame });
    this.rename(node, node.inputSpans[BIAS]!, NODE_INPUT, restored);
    if (takesBeta === true) this.dropAttribute(node, 'beta');
    this.replaced.set(tensor, (this.replaced.get(tensor) ?? 0) + 1);
  }

  /** One dimension where there is a scale for each channel, along which DequantizeLinear counts them. */
  private biasShape(tensor: number, scale: readonly number[]): readonly number[] {
    return scale.length === 1 ? this.writing.tensors[tensor]!.ref.shape : [scale.length];
  }

  /** An attribute that is left out has its default. */
  private dropAttribute(node: NodeRecord, wanted: string): void {
    for (const { name, span } of node.attributes)
      if (name === wanted) this.edits.push({ ...span, pieces: [], frame: node.frame });
  }

  /** Leave out the stored biases that nothing takes any more. */
  dropUnused(): ReadonlySet<number> {
    const dropped = new Set<number>();
    for (const [tensor, count] of this.replaced) {
      const { stored } = this.writing.tensors[tensor]!;
      if (count < stored.uses.length || isWantedByName(stored)) continue;
      const { frame } = stored.storage === 'constant' ? stored.node! : stored.tensor!;
      this.edits.push({
        start: frame.start,
        end: frame.end,
        pieces: [],
        frame: stored.graph.frame,
      });
      dropped.add(tensor);
    }
    return dropped;
  }

  private namer(base: string): { make: (suffix: string) => string } {
    return { make: (suffix) => this.writing.names.make(`${base}_${suffix}`) };
  }

  private domain(opset: number): '' | 'com.microsoft' {
    if (this.writing.opsets.version(null) >= opset) return '';
    this.writing.opsets.needMicrosoft(null);
    return 'com.microsoft';
  }

  private stored(
    home: GraphRecord,
    name: string,
    dtype: DtypeName,
    dims: readonly number[],
    values: ArrayBufferView,
  ): Piece[] {
    const tensor: onnx.ITensorProto = {
      dims: [...dims],
      dataType: onnxDataType(dtype),
      rawData: new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
    };
    return this.writing.irVersion >= IR_WITHOUT_INPUTS
      ? field(GRAPH_INITIALIZER, [initializerMessage(name, tensor)])
      : field(nodeField(home), [smallConstant(name, tensor)]);
  }

  private rename(node: NodeRecord, span: Span, number: number, name: string): void {
    this.edits.push({ ...span, pieces: [nameField(number, name)], frame: node.frame });
  }
}

function firstNode({ nodes, frame }: GraphRecord): number {
  return nodes.reduce((first, node) => Math.min(first, node.frame.start), frame.end);
}

function isWantedByName(stored: Stored): boolean {
  return stored.isHandedOn || stored.hasDouble === true || isOutput(stored.graph, stored.name);
}

function codeArray(dtype: ValuePlanDtype, codes: readonly number[]): ArrayBufferView {
  switch (dtype) {
    case 'uint8':
      return Uint8Array.from(codes);
    case 'int8':
      return Int8Array.from(codes);
    case 'uint16':
      return Uint16Array.from(codes);
    case 'int16':
      return Int16Array.from(codes);
  }
}
type ValuePlanDtype = NonNullable<ValuePlan['scheme']>['dtype'];
