import type { AccuracyLevel } from '../../../../../shared/recipe.ts';
import { append } from '../../../../../shared/lists.ts';
import { integerAttribute } from '../read/node-slots.ts';
import type { AttributeRecord, GraphRecord, NodeRecord } from '../read/records.ts';
import { onnxDataType } from '../read/tensor-types.ts';
import type { Piece } from '../../../export/layout.ts';
import type { Edit } from './edits.ts';
import type { IntegerUse } from '../fit/integer-uses.ts';
import { field, nodeMessage, smallConstant, type NewNode } from './messages.ts';
import type { FreshNames } from '../read/names.ts';
import type { PartNames } from './replace-weight.ts';

/** Field numbers (onnx.proto). */
const GRAPH_NODE = 1;
const FUNCTION_NODE = 7;

const FLOAT = onnxDataType('float32');

/** What DynamicQuantizeLinear makes of one value. */
interface QuantizedInput {
  readonly codes: string;
  readonly scale: string;
  readonly zeroPoint: string;
}

/** One of an LSTM's two weights, and the parts that it is stored as. */
export interface LstmWeight {
  readonly use: IntegerUse;
  readonly parts: PartNames;
}

/** DynamicQuantizeLSTM has all of LSTM's attributes but layout, which must be 0. */
function isLstmAttribute({ name }: AttributeRecord): boolean {
  return name !== 'layout';
}

/** Attributes as they stand in the file. */
function copiedAttributes(attributes: readonly AttributeRecord[]): Piece[] {
  return attributes.map(({ span }) => ({
    kind: 'copy',
    file: 0,
    offset: span.start,
    length: span.end - span.start,
  }));
}

/**
 * Puts integer operators in the place of nodes. A value that feeds several of them is quantized once
 * in each graph, before the first, so that nodes must be given in the order of the file.
 */
export class IntegerNodes {
  private readonly names: FreshNames;
  private readonly accuracyLevel: AccuracyLevel;
  private readonly quantized = new Map<string, QuantizedInput>();
  private readonly shapes = new Map<string, string>();
  /** The nodes made so far, each as the pieces of its message. */
  private made: Piece[][] = [];

  /** @param accuracyLevel of the MatMulNBits nodes; 0 is what they have without the attribute */
  constructor(names: FreshNames, accuracyLevel: AccuracyLevel) {
    this.names = names;
    this.accuracyLevel = accuracyLevel;
  }

  /** The edit that replaces a node of the source. */
  replace(use: IntegerUse, parts: PartNames): Edit {
    this.made = [];
    if (use.form === 'MatMulNBits') this.matMulNBits(use, parts);
    else if (use.form === 'DynamicQuantizeMatMul') this.matMulInOne(use, parts);
    else this.inSteps(use, parts);
    return this.edit(use.node, use.graph);
  }

  private edit({ frame }: NodeRecord, { kind }: GraphRecord): Edit {
    const number = kind === 'function' ? FUNCTION_NODE : GRAPH_NODE;
    const pieces = this.made.flatMap((node) => field(number, node));
    return { start: frame.start, end: frame.end, pieces, frame: frame.parent };
  }

  private matMulNBits({ node, hasZeroPoint, nbits }: IntegerUse, parts: PartNames): void {
    const { k, n, bits, block } = nbits!;
    const output = node.outputs[0]!;
    // A MatMul has no third input; a Gemm's is added as it is, of any shape that the output takes.
    const bias = node.inputs[2] ?? '';
    const product = bias === '' ? output : this.names.make(`${output}_product`);
    this.add(product, {
      opType: 'MatMulNBits',
      domain: 'com.microsoft',
      inputs: [
        node.inputs[0]!,
        parts.codes,
        parts.scale,
        ...(hasZeroPoint ? [parts.zeroPoint] : []),
      ],
      integers: {
        ...{ K: k, N: n, bits, block_size: block },
        ...(this.accuracyLevel === 0 ? {} : { accuracy_level: this.accuracyLevel }),
      },
    });
    if (bias !== '') this.add(output, { opType: 'Add', inputs: [product, bias] });
  }

  /** com.microsoft's one operator for it, which any opset takes. */
  private matMulInOne({ node, hasZeroPoint }: IntegerUse, parts: PartNames): void {
    this.add(node.outputs[0]!, {
      opType: 'DynamicQuantizeMatMul',
      domain: 'com.microsoft',
      inputs: [
        node.inputs[0]!,
        parts.codes,
        parts.scale,
        ...(hasZeroPoint ? [parts.zeroPoint] : []),
      ],
    });
  }

  /**
   * The edit that puts com.microsoft.DynamicQuantizeLSTM in the place of an LSTM. It takes its
   * weights turned over, [directions, inputs, 4 hidden], and scales and zero points for each
   * direction; all of that is constant, and folded when the model is loaded.
   */
  replaceLstm(weights: readonly [LstmWeight, LstmWeight]): Edit {
    this.made = [];
    const { node, graph } = weights[0].use;
    const [w, r] = weights.map((weight) => this.lstmWeight(weight));
    const inputs = Array.from({ length: 8 }, (_, at) => node.inputs[at] ?? '');
    inputs.splice(1, 2, w!.codes, r!.codes);
    inputs.push(w!.scale, w!.zeroPoint, r!.scale, r!.zeroPoint);
    this.push({
      opType: 'DynamicQuantizeLSTM',
      domain: 'com.microsoft',
      inputs,
      outputs: node.outputs,
      name: node.name,
    });
    append(this.made.at(-1)!, copiedAttributes(node.attributes.filter(isLstmAttribute)));
    return this.edit(node, graph);
  }

  private lstmWeight({ use, parts }: LstmWeight): PartNames {
    const { shape, isPerChannel, graph } = use;
    const dims = isPerChannel ? shape.slice(0, 2) : shape.slice(0, 1);
    const expand = (name: string): string =>
      this.add(this.names.make(`${name}_each`), {
        opType: 'Expand',
        inputs: [name, this.shapeConstant(graph, dims)],
      });
    return {
      codes: this.transposed(parts.codes, [0, 2, 1]),
      scale: expand(parts.scale),
      zeroPoint: expand(parts.zeroPoint),
    };
  }

  /** DynamicQuantizeLinear, the integer operator, and back: times both scales, plus the bias. */
  private inSteps(use: IntegerUse, parts: PartNames): void {
    const { node, graph } = use;
    const input = this.input(node.inputs[0]!, `${graph.frame.payload}`);
    const codes = this.weightCodes(use, parts);
    const sums = this.integerNode(use, [
      input.codes,
      codes,
      input.zeroPoint,
      ...(use.hasZeroPoint ? [parts.zeroPoint] : []),
    ]);
    const output = node.outputs[0]!;
    const base = node.name === '' ? output : node.name;
    const real = this.add(this.names.make(`${base}_float`), {
      opType: 'Cast',
      inputs: [sums],
      integers: { to: FLOAT },
    });
    const scale = this.add(this.names.make(`${base}_scale`), {
      opType: 'Mul',
      inputs: [input.scale, parts.scale],
    });
    const bias = node.inputs[2] ?? '';
    const product = bias === '' ? output : this.names.make(`${base}_product`);
    this.add(product, { opType: 'Mul', inputs: [real, scale] });
    if (bias !== '') this.add(output, { opType: 'Add', inputs: [product, this.biasOf(use, bias)] });
  }

  private integerNode(use: IntegerUse, inputs: readonly string[]): string {
    const { node } = use;
    const output = this.names.make(`${node.outputs[0]!}_sums`);
    const opType = use.form === 'ConvInteger' ? 'ConvInteger' : 'MatMulInteger';
    this.add(output, { opType, inputs });
    if (use.form !== 'ConvInteger') return output;
    // Conv's attributes are ConvInteger's, and are copied through as they stand in the file.
    append(this.made.at(-1)!, copiedAttributes(node.attributes));
    return output;
  }

  /** A Gemm's transposed weight is turned over at load, where onnxruntime folds constants. */
  private weightCodes({ node, form }: IntegerUse, parts: PartNames): string {
    if (form !== 'MatMulInteger' || integerAttribute(node, 'transB', 0) === 0) return parts.codes;
    return this.transposed(parts.codes, [1, 0]);
  }

  private transposed(codes: string, perm: readonly number[]): string {
    return this.add(this.names.make(`${codes}_transposed`), {
      opType: 'Transpose',
      inputs: [codes],
      integers: { perm },
    });
  }

  /** A Conv's bias lies along axis 1 of its output. */
  private biasOf({ node, graph, form, shape }: IntegerUse, bias: string): string {
    if (form !== 'ConvInteger') return bias;
    const dims = [1, -1, ...new Array<number>(shape.length - 2).fill(1)];
    return this.add(this.names.make(`${node.outputs[0]!}_bias`), {
      opType: 'Reshape',
      inputs: [bias, this.shapeConstant(graph, dims)],
    });
  }

  /** A constant of the dimensions, one of a kind in each graph. */
  private shapeConstant(graph: GraphRecord, dims: readonly number[]): string {
    const key = `${graph.frame.payload} ${dims.join(' ')}`;
    const known = this.shapes.get(key);
    if (known !== undefined) return known;
    const name = this.names.make('quantscope_shape');
    this.shapes.set(key, name);
    const tensor = {
      dataType: onnxDataType('int64'),
      dims: [dims.length],
      int64Data: [...dims],
    };
    this.made.push([smallConstant(name, tensor)]);
    return name;
  }

  private input(name: string, graph: string): QuantizedInput {
    const key = `${graph} ${name}`;
    const known = this.quantized.get(key);
    if (known !== undefined) return known;
    const made = {
      codes: this.names.make(`${name}_quantized`),
      scale: this.names.make(`${name}_scale`),
      zeroPoint: this.names.make(`${name}_zero_point`),
    };
    this.quantized.set(key, made);
    this.push({
      opType: 'DynamicQuantizeLinear',
      inputs: [name],
      outputs: [made.codes, made.scale, made.zeroPoint],
    });
    return made;
  }

  private add(output: string, node: Partial<NewNode> & Pick<NewNode, 'opType' | 'inputs'>): string {
    this.push({ ...node, outputs: [output] });
    return output;
  }

  private push(node: Partial<NewNode> & Pick<NewNode, 'opType' | 'inputs' | 'outputs'>): void {
    const name = this.names.make(`${node.outputs[0]!}_${node.opType}`);
    this.made.push([nodeMessage({ domain: '', integers: {}, name, ...node })]);
  }
}
