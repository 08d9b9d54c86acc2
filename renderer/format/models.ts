import { printable } from '../../shared/errors.ts';
import type { ModelSummary } from '../../shared/protocol.ts';
import { integer } from './numbers.ts';

/** One line about a model: "ONNX opset 11 · 614 228 parameters", "safetensors · blip · PyTorch · 223 971 644 parameters". */
export function modelFacts(model: ModelSummary): string {
  const opset = model.opsets.find((entry) => entry.domain === 'ai.onnx');
  const name = model.formatName;
  const format = opset === undefined ? name : `${name} opset ${opset.version}`;
  // A checkpoint's file is called model.safetensors as often as not; its configuration names the model.
  const maker = opset === undefined ? printable(model.producer) : '';
  // The maker comes last: it may be long, and is what may be cut.
  return [format, `${integer(model.parameters)} parameters`, maker].filter(Boolean).join(' · ');
}
