import { blockAxisOf } from '../../../../../shared/plan.ts';
import { granularityOf, type Scheme } from '../../../../../shared/scheme.ts';
import type { TensorRef } from '../../../../../shared/model.ts';
import { onnxDataType } from '../read/tensor-types.ts';
import type { Piece } from '../../../export/layout.ts';
import { nodeMessage, smallConstant } from './messages.ts';
import type { FreshNames } from '../read/names.ts';

/** The shapes in which the parts of a tensor in blocks are stored, so that plain arithmetic restores it. */
export interface BlockShape {
  readonly codes: readonly number[];
  readonly scale: readonly number[];
  /** Gather these blocks along the axis to get a scale for each position; null where scales broadcast. */
  readonly spread: { readonly axis: number; readonly blocks: readonly number[] } | null;
}

/**
 * How blocks are written without DequantizeLinear's own, which came with opset 21. An axis that is a
 * whole number of blocks is split in two, so that broadcasting does what block_size says; a single
 * block broadcasts as it is; otherwise a Gather repeats the scales. null for any other scheme.
 */
export function blockShape(
  ref: Pick<TensorRef, 'shape' | 'axis'>,
  scheme: Scheme,
): BlockShape | null {
  const granularity = granularityOf(scheme);
  if (typeof granularity !== 'object' || ref.axis === null) return null;
  const at = blockAxisOf(ref.shape, ref.axis);
  const length = ref.shape[at] ?? 0;
  const { block } = granularity;
  if (length === 0) return null;
  const withAxis = (...dims: number[]): number[] => [
    ...ref.shape.slice(0, at),
    ...dims,
    ...ref.shape.slice(at + 1),
  ];
  const count = Math.ceil(length / block);
  if (count === 1) return { codes: ref.shape, scale: withAxis(1), spread: null };
  if (length % block === 0)
    return { codes: withAxis(count, block), scale: withAxis(count, 1), spread: null };
  const blocks = Array.from({ length }, (_, index) => Math.floor(index / block));
  return { codes: ref.shape, scale: withAxis(count), spread: { axis: at, blocks } };
}

/**
 * The nodes from codes, scales and zero points in their block shape to the old name: com.microsoft's
 * DequantizeLinear with scale 1 makes numbers of the codes at any opset; Sub, Mul and Reshape are
 * as old as opset 7. (q - z) s is computed in float32, as DequantizeLinear does.
 */
export function blockNodes(
  ref: Pick<TensorRef, 'name' | 'shape' | 'dtype'>,
  parts: { readonly codes: string; readonly scale: string; readonly zeroPoint: string | null },
  { codes: stored, spread }: BlockShape,
  names: FreshNames,
): Piece[] {
  const nodes: Piece[] = [];
  const add = (
    opType: string,
    inputs: readonly string[],
    { domain = '', output = names.make(`${ref.name}_${opType}`), integers = {} } = {},
  ): string => {
    const name = names.make(`${output}_node`);
    nodes.push(nodeMessage({ opType, domain, name, inputs, outputs: [output], integers }));
    return output;
  };
  const integers = (
    name: string,
    dataType: 'int32' | 'int64',
    values: readonly number[],
  ): string => {
    const made = names.make(`${ref.name}_${name}`);
    const data = dataType === 'int32' ? { int32Data: [...values] } : { int64Data: [...values] };
    const tensor = { dataType: onnxDataType(dataType), dims: [values.length], ...data };
    nodes.push(smallConstant(made, tensor));
    return made;
  };
  const one = names.make(`${ref.name}_one`);
  nodes.push(smallConstant(one, { dataType: onnxDataType('float32'), floatData: [1] }));
  const numbers = (codes: string): string =>
    add('DequantizeLinear', [codes, one], { domain: 'com.microsoft' });
  const index = spread === null ? null : integers('block', 'int32', spread.blocks);
  const each = (values: string): string =>
    index === null ? values : add('Gather', [values, index], { integers: { axis: spread!.axis } });
  const codes = numbers(parts.codes);
  const centred =
    parts.zeroPoint === null ? codes : add('Sub', [codes, each(numbers(parts.zeroPoint))]);
  const isWhole = stored.length === ref.shape.length;
  const isFloat32 = ref.dtype === 'float32';
  const last = isFloat32 ? { output: ref.name } : {};
  const scaled = add('Mul', [centred, each(parts.scale)], isWhole ? last : {});
  const whole = isWhole
    ? scaled
    : add('Reshape', [scaled, integers('shape', 'int64', ref.shape)], last);
  if (!isFloat32)
    add('Cast', [whole], { output: ref.name, integers: { to: onnxDataType(ref.dtype) } });
  return nodes;
}
