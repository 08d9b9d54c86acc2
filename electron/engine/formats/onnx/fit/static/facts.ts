import type { StaticFacts } from '../../../format.ts';
import type { OnnxGraph } from '../../read/graph.ts';
import type { OnnxTensor } from '../../read/stored.ts';

/** What the static mode plans from. */
export interface PlanningFacts extends StaticFacts {
  readonly graph: OnnxGraph;
  readonly tensors: readonly OnnxTensor[];
  /** The version of ai.onnx that the export will have. */
  readonly opset: number;
}
