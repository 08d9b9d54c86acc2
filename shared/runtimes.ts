// Which runtime loads an exported file, and from which version on.
import type { ExportMode } from './exports.ts';

/**
 * The onnxruntime from which each opset of ai.onnx is implemented: the table of onnxruntime.ai/docs/reference/compatibility
 * up to 20, the ONNX version that each later release was built with from 22 on. 1.18 lists opset 21 too, but its
 * DequantizeLinear has neither int4 nor blocks: both came with 1.19 (pull requests 20362 and 20901).
 */
const OPSET_SINCE: readonly (readonly [opset: number, version: string])[] = [
  [11, '1.0'],
  [12, '1.3'],
  [13, '1.6'],
  [14, '1.8'],
  [15, '1.9'],
  [16, '1.11'],
  [17, '1.12'],
  [18, '1.14'],
  [19, '1.15'],
  [20, '1.17'],
  [21, '1.19'],
  [22, '1.21'],
  [23, '1.23'],
  [24, '1.24'],
  [25, '1.24'],
];

/**
 * The onnxruntime that has the operators of com.microsoft which a mode writes: DynamicQuantizeLSTM, MatMulNBits, and
 * QuantizeLinear and DequantizeLinear of 16 bits.
 */
const MICROSOFT: Readonly<Partial<Record<ExportMode, string>>> = {
  qdq: '1.16',
  static: '1.16',
  dynamic: '1.7',
  nbits: '1.17',
};

function newer(a: string, b: string): string {
  const [major, minor] = [a, b].map((version) => version.split('.').map(Number));
  return (major![0]! - minor![0]! || major![1]! - minor![1]!) >= 0 ? a : b;
}

/**
 * What loads an ONNX file: "onnxruntime 1.20 or newer", or any runtime of its opset.
 * @param opset of ai.onnx in the file that is written
 * @param usesMicrosoft whether that file has operators of com.microsoft
 */
export function onnxRuntime(opset: number, mode: ExportMode, usesMicrosoft: boolean): string {
  const since = OPSET_SINCE.find(([each]) => each >= opset)?.[1];
  if (since === undefined) return `A runtime that supports opset ${opset} loads it.`;
  if (usesMicrosoft)
    return `onnxruntime ${newer(since, MICROSOFT[mode] ?? since)} or newer loads it, and no other runtime.`;
  return `onnxruntime ${since} or newer loads it, and other runtimes that support opset ${opset}.`;
}

/**
 * onnxruntime 1.30 on Linux has telemetry: it keeps an identifier and a database in ~/.cache/Microsoft, a log in the
 * temporary folder, and names an address to upload to. It reads this as its library is loaded.
 */
export const WITHOUT_TELEMETRY = { ORT_DISABLE_TELEMETRY: '1' };
