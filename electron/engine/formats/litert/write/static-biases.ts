import type { BiasPlan } from '../../../../../shared/plan.ts';
import type { Piece } from '../../../export/layout.ts';
import { integerRule } from '../fit/static/rules.ts';
import type { Changes } from '../read/nodes.ts';
import { makeIndices } from '../read/nodes.ts';
import type { OperatorRecord } from '../read/records.ts';
import { typeOfDtype } from '../read/tensor-types.ts';
import { consumersOf, restoredBy, type LitertTensor, type StoredTensor } from '../read/tensors.ts';
import type { GraphEdit } from './graph-edit.ts';
import type { Computing } from './request.ts';
import { biasQuantization } from './static-graph.ts';
import type { Zeros } from './stored-form.ts';

/** Buffers that an export changes, and those that it adds behind the model's own. */
export interface BiasBuffers {
  readonly stored: Map<number, Piece>;
  readonly added: Uint8Array[];
  /** What biases of as many channels share. */
  readonly zeros: Zeros;
  /** How many buffers the model has. */
  readonly count: number;
}

/** Where an operator of the first graph takes a bias. */
interface BiasUse {
  readonly operator: number;
  readonly input: number;
  readonly bias: BiasPlan;
}

/**
 * Store the biases of operators on integers: in the place of the float ones, or, where another operator takes those
 * as floats or in other scales, beside them.
 */
export function placeStaticBiases(
  edit: GraphEdit,
  tensors: readonly LitertTensor[],
  { operators, activations }: Computing,
  buffers: BiasBuffers,
): void {
  const isWide = activations.some(({ scheme }) => scheme?.dtype === 'int16');
  const uses = new Map<number, BiasUse[]>();
  for (const { operator, bias } of operators) {
    if (bias === undefined) continue;
    const input = biasInput(edit.graph.operators[operator]!);
    uses.set(bias.tensor, [...(uses.get(bias.tensor) ?? []), { operator, input, bias }]);
  }
  for (const [tensor, own] of uses) {
    const stored = tensors[tensor]!;
    const { bias } = own[0]!;
    const form = {
      type: typeOfDtype(isWide ? 'int64' : 'int32')!,
      quantization: biasQuantization(bias, buffers.zeros),
    };
    if (isOnly(stored, own)) replaceBias(edit, stored, own, form, buffers, isWide);
    else addBiases(edit, stored, own, buffers, isWide);
  }
}

function biasInput(operator: OperatorRecord): number {
  const rule = integerRule(operator);
  if (rule?.kind !== 'weighted') throw new RangeError(`${operator.op} has no bias`);
  return rule.bias;
}

/** Whether nothing else takes a stored bias, and all take it alike. */
function isOnly({ stored, ref }: LitertTensor, own: readonly BiasUse[]): boolean {
  if (ref.fixed !== undefined || stored.length > 1) return false;
  const scales = own.map(({ bias }) => bias.scale.join());
  return new Set(scales).size === 1 && finalUses(stored[0]!) === own.length;
}

/** Uses of a stored tensor, those behind a DEQUANTIZE in its place. */
function finalUses({ graph, uses }: StoredTensor): number {
  return uses.reduce((sum, { operator }) => {
    const restored = restoredBy(operator);
    return sum + (restored === null ? 1 : (consumersOf(graph).get(restored)?.length ?? 0));
  }, 0);
}

function replaceBias(
  edit: GraphEdit,
  { stored, buffer }: LitertTensor,
  own: readonly BiasUse[],
  form: Changes,
  { stored: pieces }: BiasBuffers,
  isWide: boolean,
): void {
  const [{ index, uses }] = stored as [StoredTensor];
  edit.changeTensor(index, form);
  for (const { operator, input } of own) edit.setInput(operator, input, index);
  for (const use of uses) if (restoredBy(use.operator) !== null) edit.drop(use.at);
  pieces.set(buffer, { kind: 'bytes', bytes: codesOf(own[0]!.bias, isWide) });
}

function addBiases(
  edit: GraphEdit,
  { stored, ref }: LitertTensor,
  own: readonly BiasUse[],
  buffers: BiasBuffers,
  isWide: boolean,
): void {
  const like = stored.find(({ graph }) => graph === edit.graph)!.index;
  for (const { operator, input, bias } of own) {
    const buffer = buffers.count + buffers.added.push(codesOf(bias, isWide)) - 1;
    const tensor = edit.addTensor(like, '_quantized', {
      type: typeOfDtype(isWide ? 'int64' : 'int32')!,
      quantization: biasQuantization(bias, buffers.zeros),
      shape: makeIndices(ref.shape),
      buffer,
    });
    edit.setInput(operator, input, tensor);
  }
}

function codesOf({ codes }: BiasPlan, isWide: boolean): Uint8Array {
  const stored = isWide ? BigInt64Array.from(codes, BigInt) : codes;
  return new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength);
}
