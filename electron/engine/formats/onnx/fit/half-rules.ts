import { onnxDataType } from '../read/tensor-types.ts';
import type { GraphRecord, NodeRecord } from '../read/records.ts';
import { inlineData } from '../read/tensors.ts';
import type { OnnxTensor } from '../read/stored.ts';
import { readNumbers } from '../../../tensor-bytes.ts';
import type { ConstantRange } from './half-effects.ts';
import { CAST_OPSETS } from './dequantize.ts';
import { HalfPlan } from './half-plan.ts';
import { floatNodes } from './half-ranges.ts';
import { HALF_LARGEST } from './half-tables.ts';
import type { OnnxExport } from './request.ts';

/**
 * Plan which nodes compute in float16. Rules of the recipe that keep an operator (`op` alone, scheme
 * null) are its block list; a node whose weight a rule keeps stays in float32 too, and so does one
 * with a constant that float16 cannot hold or whose values may leave float16's range (half-ranges.ts).
 * null where no Cast takes float16.
 */
export function planHalf(request: OnnxExport, opset: number): HalfPlan | null {
  if (opset < CAST_OPSETS.float16) return null;
  const find = tensorFinder(request);
  const wide = floatNodes(request.index.graph, {
    opset,
    constant: (graph, name) => constantRange(request, find(graph, name)),
    fill: (node) => fillOf(request, node),
  });
  return new HalfPlan(request.index.graph, {
    opset,
    whyKept: (node) => (isKept(request, node.opType) ? 'kept by a rule' : (wide.get(node) ?? null)),
    isFloatOnly: (graph, name) => {
      const tensor = find(graph, name);
      return tensor !== undefined && isFloatOnly(request, tensor);
    },
  });
}

/** Why float16 does not hold a tensor's values, or null where it does. */
export function whyNotHalf(request: OnnxExport, tensor: OnnxTensor): string | null {
  const range = constantRange(request, tensor);
  if (range === null || Math.abs(range.extreme) <= HALF_LARGEST) return null;
  return `holds ${range.extreme}, and float16 ends at ${HALF_LARGEST}`;
}

type Find = (graph: GraphRecord, name: string) => OnnxTensor | undefined;

function tensorFinder({ tensors }: OnnxExport): Find {
  const found = new Map<GraphRecord, Map<string, OnnxTensor>>();
  for (const tensor of tensors) {
    const { graph, name } = tensor.stored;
    const known = found.get(graph);
    if (known === undefined) found.set(graph, new Map([[name, tensor]]));
    else known.set(name, tensor);
  }
  return (graph, name) => found.get(graph)?.get(name);
}

function isKept({ recipe }: OnnxExport, opType: string): boolean {
  const rule = recipe.rules.findLast(
    ({ match }) =>
      match.op === opType &&
      match.name === undefined &&
      match.layer === undefined &&
      match.role === undefined,
  );
  return rule !== undefined && rule.scheme === null;
}

/** Whether a stored tensor meets float32 arithmetic: a rule keeps it, or float16 does not hold it. */
function isFloatOnly(request: OnnxExport, tensor: OnnxTensor): boolean {
  const { ref } = tensor;
  const entry = request.plan[ref.id];
  const isWeight = ref.role === 'weight' || ref.role === 'embedding';
  if (entry?.scheme === null && entry.byRule && isWeight) return true;
  return whyNotHalf(request, tensor) !== null;
}

function constantRange(request: OnnxExport, tensor: OnnxTensor | undefined): ConstantRange | null {
  const statistics = tensor === undefined ? undefined : request.statistics?.get(tensor.ref.id);
  if (statistics === undefined || tensor?.ref.dtype !== 'float32') return null;
  const { min, max, absMax, nans, infinities } = statistics;
  return {
    extreme: absMax > max ? min : max,
    value: min === max && nans + infinities === 0 ? min : null,
  };
}

/** What a ConstantOfShape is filled with: one element, 0 where it has none. */
function fillOf({ files }: OnnxExport, { name, attributes }: NodeRecord): number | null {
  const tensor = attributes.find((attribute) => attribute.name === 'value')?.tensor;
  if (tensor === undefined || tensor === null) return 0;
  if (tensor.dataType !== onnxDataType('float32') || tensor.external !== null) return null;
  const data = inlineData(tensor);
  return readNumbers(files, { name, dtype: 'float32', elements: 1, data })[0] ?? null;
}
