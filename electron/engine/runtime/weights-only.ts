import type { Kernels } from '../../../shared/kernels.ts';
import { openModel } from '../formats/registry.ts';
import type { RunHints } from './inputs.ts';

/**
 * onnxruntime 1.30 fuses DequantizeLinear and MatMul into MatMulNBits with accuracy level 4, which
 * quantizes the inputs to int8 while it runs. At level 1 it computes in float32.
 */
export const FLOAT32_MATMUL: Readonly<Record<string, string>> = {
  qdq_matmulnbits_accuracy_level: '1',
};

/**
 * Whether onnxruntime quantizes inputs of MatMul on its own, which the export does not ask for. It also
 * draws no random numbers: a third run would draw others.
 * @param kernels what the export runs on
 */
export function roundsInputs(file: string, kernels: Kernels | null, { random }: RunHints): boolean {
  if (kernels === null || random.length > 0 || matMulsOnIntegers(kernels) === 0) return false;
  const exported = openModel(file);
  try {
    return matMulsOnIntegers(exported.kernels!()) === 0;
  } finally {
    exported.close();
  }
}

function matMulsOnIntegers({ integerNodes }: Kernels): number {
  return integerNodes.find(({ op }) => op === 'MatMulNBits')?.count ?? 0;
}
