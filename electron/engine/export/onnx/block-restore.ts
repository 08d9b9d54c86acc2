import { blockAxisOf } from '../../../../shared/plan.ts';
import type { Scheme } from '../../../../shared/recipe.ts';
import type { TensorRef } from '../../../../shared/model.ts';
import { onnxDataType } from '../../formats/onnx/tensor-types.ts';
import type { Piece } from '../layout.ts';
import { nodeMessage, smallConstant } from './messages.ts';
import type { FreshNames } from './names.ts';

/** A shape in which the axis of the blocks is two: which block, and where in it. */
export interface SplitShape {
  readonly codes: readonly number[];
  /** The second of the two is 1, so that a block's scale spreads over it. */
  readonly scale: readonly number[];
}

/**
 * How blocks are written without DequantizeLinear's own, which came with opset 21: the axis is split,
 * so that multiplication's broadcasting does what block_size says. null where the axis is no whole
 * number of blocks.
 */
export function splitShape(
  ref: Pick<TensorRef, 'shape' | 'axis'>,
  scheme: Scheme,
): SplitShape | null {
  if (typeof scheme.granularity !== 'object' || ref.axis === null) return null;
  const at = blockAxisOf(ref.shape, ref.axis);
  const length = ref.shape[at] ?? 0;
  const { block } = scheme.granularity;
  if (length === 0 || length % block !== 0) return null;
  const split = (inner: number): number[] => [
    ...ref.shape.slice(0, at),
    length / block,
    inner,
    ...ref.shape.slice(at + 1),
  ];
  return { codes: split(block), scale: split(1) };
}

/**
 * The nodes from codes, scales and zero points in split shapes to the old name: com.microsoft's
 * DequantizeLinear with scale 1 makes numbers of the codes at any opset; Sub, Mul and Reshape are
 * as old as opset 7. (q - z) s is computed in float32, as DequantizeLinear does.
 */
export function blockNodes(
  ref: Pick<TensorRef, 'name' | 'shape' | 'dtype'>,
  parts: { readonly codes: string; readonly scale: string; readonly zeroPoint: string | null },
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
  const one = names.make(`${ref.name}_one`);
  const shape = names.make(`${ref.name}_shape`);
  nodes.push(smallConstant(one, { dataType: onnxDataType('float32'), floatData: [1] }));
  nodes.push(
    smallConstant(shape, {
      dataType: onnxDataType('int64'),
      dims: [ref.shape.length],
      int64Data: [...ref.shape],
    }),
  );
  const numbers = (codes: string): string =>
    add('DequantizeLinear', [codes, one], { domain: 'com.microsoft' });
  const codes = numbers(parts.codes);
  const centred = parts.zeroPoint === null ? codes : add('Sub', [codes, numbers(parts.zeroPoint)]);
  const scaled = add('Mul', [centred, parts.scale]);
  const isFloat32 = ref.dtype === 'float32';
  const whole = add('Reshape', [scaled, shape], isFloat32 ? { output: ref.name } : {});
  if (!isFloat32)
    add('Cast', [whole], { output: ref.name, integers: { to: onnxDataType(ref.dtype) } });
  return nodes;
}
