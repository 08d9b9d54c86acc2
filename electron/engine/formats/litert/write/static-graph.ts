import type { BiasPlan, ValuePlan } from '../../../../../shared/plan.ts';
import type { DtypeName } from '../../../../../shared/dtypes.ts';
import { makeTable, makeVector, type Changes, type TableNode } from '../read/nodes.ts';
import { typeOfDtype } from '../read/tensor-types.ts';
import { conversionFields, FLOAT_FORM, FRESH, type Conversion } from './conversions.ts';
import type { GraphEdit } from './graph-edit.ts';
import type { OperatorCodes } from './operator-codes.ts';
import type { Computing } from './request.ts';
import type { Zeros } from './stored-form.ts';

/** A tensor that holds a value, and its form. */
interface Held {
  readonly tensor: number;
  readonly dtype: DtypeName;
}

/** Puts a plan's codes into the first graph: types and scales of its values, and what stands at their borders to float. */
export class StaticGraph {
  private readonly edit: GraphEdit;
  private readonly codes: OperatorCodes;
  private readonly computing: Computing;
  private readonly boundary: ReadonlySet<number>;
  private readonly quantizations = new Map<string, TableNode>();
  /** By value: the tensor of its codes that all take. */
  private readonly main = new Map<number, Held>();

  constructor(
    edit: GraphEdit,
    codes: OperatorCodes,
    computing: Computing,
    outputs: ReadonlySet<number>,
  ) {
    [this.edit, this.codes, this.computing] = [edit, codes, computing];
    this.boundary = outputs;
  }

  /** @param plans in the order of the plan: what all take comes before what some do */
  place(plans: readonly ValuePlan[]): void {
    for (const { operator, fusedInto } of this.computing.operators)
      if (fusedInto !== undefined) {
        this.edit.setOutput(fusedInto, 0, this.edit.graph.operators[operator]!.outputs[0]!);
        this.edit.drop(operator);
      }
    for (const plan of plans)
      if (plan.takers === 'all') this.placeForAll(plan);
      else this.placeForSome(plan, plan.takers);
  }

  /** The tensor holds codes; what computes in float takes them restored, as a float output of the model does. */
  private placeForAll(plan: ValuePlan): void {
    const { value } = plan;
    const tensor = this.tensorOf(value);
    const { producer, consumers } = this.computing.graph.values[value]!;
    const dtype = plan.scheme!.dtype;
    const isFloatOutput =
      this.boundary.has(tensor) && producer !== null && this.computing.io !== dtype;
    const held = isFloatOutput ? this.heldApart(plan, tensor, producer) : { tensor, dtype };
    if (!isFloatOutput) this.edit.changeTensor(tensor, this.form(plan));
    this.main.set(value, held);
    const floating: (typeof consumers)[number][] = [];
    for (const taker of consumers) {
      if (!this.isInteger(taker.operator)) floating.push(taker);
      else if (isFloatOutput) this.edit.setInput(taker.operator, taker.input, held.tensor);
    }
    // What takes float takes the output of the model, where that is one.
    const isFloat = isFloatOutput && (this.computing.io ?? 'float32') === 'float32';
    if (floating.length === 0 || isFloat) return;
    const restored = this.edit.addTensor(tensor, '_dequantized', FLOAT_FORM);
    this.convert('DEQUANTIZE', held, { tensor: restored, dtype: 'float32' }, value);
    for (const { operator, input } of floating) this.edit.setInput(operator, input, restored);
  }

  /** Codes in a tensor of their own before an output of the model that is float, or uint8. */
  private heldApart(plan: ValuePlan, tensor: number, producer: number): Held {
    const dtype = plan.scheme!.dtype;
    const own = this.edit.addTensor(tensor, '_quantized', { ...FRESH, ...this.form(plan) });
    for (const { operator, output } of this.makersOf(producer, tensor))
      this.edit.setOutput(operator, output, own);
    const held = { tensor: own, dtype };
    if (this.computing.io === undefined)
      this.convert('DEQUANTIZE', held, { tensor, dtype: 'float32' }, plan.value);
    else {
      const shifted = { ...plan, zeroPoint: plan.zeroPoint + 128 };
      this.edit.changeTensor(tensor, this.form(shifted, 'uint8'));
      this.convert('QUANTIZE', held, { tensor, dtype: 'uint8' }, plan.value);
    }
    return held;
  }

  /** Where a tensor is made: by its producer, or by the one that clips in its place. */
  private makersOf(
    producer: number,
    tensor: number,
  ): readonly { operator: number; output: number }[] {
    const { fusedInto } = this.computing.operators[producer]!;
    if (fusedInto !== undefined) return [{ operator: fusedInto, output: 0 }];
    const { outputs } = this.edit.graph.operators[producer]!;
    return outputs.flatMap((made, output) =>
      made === tensor ? [{ operator: producer, output }] : [],
    );
  }

  /** A QUANTIZE makes the codes that some operators take, of float values or of other codes. */
  private placeForSome(plan: ValuePlan, takers: Exclude<ValuePlan['takers'], 'all'>): void {
    const tensor = this.tensorOf(plan.value);
    const from = this.main.get(plan.value) ?? { tensor, dtype: 'float32' };
    const changes = { ...FRESH, ...this.form(plan) };
    const made = this.edit.addTensor(tensor, '_quantized', changes);
    this.convert('QUANTIZE', from, { tensor: made, dtype: plan.scheme!.dtype }, plan.value);
    for (const { operator, input } of takers) this.edit.setInput(operator, input, made);
  }

  /** An operator between two forms of a value, where it is made: at the beginning for an input of the model. */
  private convert(op: Conversion, from: Held, to: Held, value: number): void {
    const { dtype } = op === 'QUANTIZE' ? to : from;
    const { producer } = this.computing.graph.values[value]!;
    const fields = conversionFields(this.codes, op, dtype);
    if (producer === null) this.edit.add('before', 0, from.tensor, to.tensor, fields);
    else this.edit.add('after', producer, from.tensor, to.tensor, fields);
  }

  private form({ scheme, scale, zeroPoint }: ValuePlan, dtype: DtypeName = scheme!.dtype): Changes {
    const key = `${scale} ${zeroPoint}`;
    const quantization =
      this.quantizations.get(key) ??
      makeTable('QuantizationParameters', {
        scale: makeVector(Float32Array.of(scale)),
        zero_point: makeVector(BigInt64Array.of(BigInt(zeroPoint))),
      });
    this.quantizations.set(key, quantization);
    return { type: typeOfDtype(dtype)!, quantization };
  }

  private tensorOf(value: number): number {
    return this.computing.graph.tensorOf[value]!;
  }

  private isInteger(operator: number): boolean {
    return this.computing.operators[operator]!.isInteger;
  }
}

/** Scales and zero points of a bias's codes. */
export function biasQuantization({ scale }: BiasPlan, zeros: Zeros): TableNode {
  return makeTable('QuantizationParameters', {
    scale: makeVector(Float32Array.from(scale)),
    zero_point: zeros.of(scale.length),
  });
}
