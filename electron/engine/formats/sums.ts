import { dtypeOf, packedBytes } from '../../../shared/dtypes.ts';
import {
  isQuantizable,
  type Footprint,
  type Model,
  type TensorRef,
} from '../../../shared/model.ts';

/**
 * What a model's tensors come to, whatever its format.
 * @param isConverted which tensors take part when a model is stored in another dtype
 * @param isCounted which tensors are parameters
 */
export function sumsOf(
  refs: readonly TensorRef[],
  isConverted: (ref: TensorRef) => boolean = isFloatParameter,
  isCounted: (ref: TensorRef) => boolean = isParameter,
): Pick<Model, 'parameters' | 'tensorBytes' | 'footprint'> {
  return {
    parameters: refs.reduce(
      (sum, ref) => sum + (isCounted(ref) ? (ref.parameters ?? ref.elements) : 0),
      0,
    ),
    tensorBytes: refs.reduce((sum, ref) => sum + ref.bytes, 0),
    footprint: footprintOf(refs, isConverted),
  };
}

function isParameter(ref: TensorRef): boolean {
  return (
    ref.role === 'weight' || ref.role === 'bias' || ref.role === 'embedding' || ref.role === 'norm'
  );
}

function isFloatParameter(ref: TensorRef): boolean {
  return isQuantizable(ref) || (isParameter(ref) && dtypeOf(ref.dtype).kind === 'float');
}

/** Bytes of all tensors if every float weight were stored in each dtype; what is no float stays. */
function footprintOf(
  refs: readonly TensorRef[],
  isConverted: (ref: TensorRef) => boolean,
): Footprint {
  const bytesAs = (dtype: keyof Footprint): number =>
    refs.reduce(
      (sum, ref) => sum + (isConverted(ref) ? packedBytes(dtype, ref.elements) : ref.bytes),
      0,
    );
  return {
    float32: bytesAs('float32'),
    float16: bytesAs('float16'),
    bfloat16: bytesAs('bfloat16'),
    int8: bytesAs('int8'),
    int4: bytesAs('int4'),
  };
}
