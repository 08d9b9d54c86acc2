import type { ExportMode } from '../../../../../shared/exports.ts';
import { granularityOf, type Scheme } from '../../../../../shared/scheme.ts';
import type { OnnxTensor } from '../read/stored.ts';
import type { WhyBelow } from './dequantize.ts';
import { DYNAMIC_OPSET, type IntegerUse } from './integer-uses.ts';
import { isNeeded } from './taken-uses.ts';

/** A weight, what is planned for it, and the opset in force where it sits. */
interface RestoredWeight {
  readonly tensor: OnnxTensor;
  readonly scheme: Scheme;
  readonly opset: number;
  readonly whyBelow: WhyBelow;
}

/** Operators that have one on integers. */
const INTEGER_OPERATORS: ReadonlySet<string> = new Set(['MatMul', 'Gemm', 'Conv', 'LSTM']);

/**
 * Why a weight is restored to float in a mode that runs operators on codes; null where every use of
 * it runs on them, and in the modes that run none.
 */
export function whyRestored(
  mode: ExportMode,
  weight: RestoredWeight,
  taken: readonly IntegerUse[],
): string | null {
  const { tensor, scheme } = weight;
  if (mode !== 'dynamic' && mode !== 'nbits') return null;
  const inputs = new Set(taken.map(({ node, input }) => `${node.frame.start} ${input}`));
  const left = tensor.stored.uses.filter(
    ({ record, input }) => !inputs.has(`${record.frame.start} ${input}`),
  );
  if (left.length === 0 && !isNeeded(tensor)) return null;
  const ops = [...new Set(left.map(({ op }) => op))].join(', ');
  const why =
    left.length === 0
      ? 'the model or a function call takes it under its own name'
      : left.some(({ isDirect }) => !isDirect)
        ? `the weight reaches ${ops} through other operators, such as Transpose or Concat`
        : mode === 'dynamic'
          ? whyNotInteger(weight, ops)
          : whyNotNbits(tensor, scheme, ops);
  const some = taken.length > 0 ? `for ${left.length} of ${tensor.stored.uses.length} uses` : '';
  return `restored to float ${some}`.trimEnd() + `: ${why}`;
}

function whyNotInteger(
  { tensor: { ref }, scheme, opset, whyBelow }: RestoredWeight,
  ops: string,
): string {
  if (!/^u?int8$/.test(scheme.dtype))
    return `integer operators take int8 and uint8, not ${scheme.dtype}`;
  if (scheme.kind === 'block')
    return 'integer operators take scales per tensor or per channel, not per block';
  if (ref.dtype !== 'float32')
    return `integer operators give float32, and the weight is ${ref.dtype}`;
  if (!ops.split(', ').some((op) => INTEGER_OPERATORS.has(op)))
    return `${ops} has no integer operator`;
  if (opset < DYNAMIC_OPSET)
    return `integer operators need opset ${DYNAMIC_OPSET}, and ${whyBelow(DYNAMIC_OPSET)}`;
  return `no integer operator takes this form of ${ops} under this scheme`;
}

function whyNotNbits({ ref }: OnnxTensor, scheme: Scheme, ops: string): string {
  if (ops !== 'MatMul' && ops !== 'Gemm')
    return `MatMulNBits takes the place of MatMul and Gemm, not of ${ops}`;
  const granularity = granularityOf(scheme);
  if (typeof granularity !== 'object' || granularity.block < 16 || !isPower(granularity.block))
    return 'MatMulNBits takes blocks of 16, 32, 64 ... along the inputs';
  if (!/^u?int[48]$/.test(scheme.dtype))
    return `MatMulNBits takes codes of 4 or 8 bits, not ${scheme.dtype}`;
  if (ref.shape.length !== 2) return `MatMulNBits takes a matrix, not ${ref.shape.length} axes`;
  if (ref.dtype !== 'float32' && ref.dtype !== 'float16')
    return `onnxruntime's MatMulNBits takes float32 and float16, not ${ref.dtype}`;
  return ops === 'Gemm'
    ? 'MatMulNBits takes the place of a Gemm that scales and transposes nothing but its weight'
    : 'MatMulNBits takes a weight as the second input of MatMul, with blocks along its rows';
}

function isPower(value: number): boolean {
  return Number.isInteger(Math.log2(value));
}
