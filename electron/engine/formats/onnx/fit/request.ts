import type { Plan, WeightPlans } from '../../../../../shared/plan.ts';
import type { ExportMode } from '../../../../../shared/exports.ts';
import type { Statistics } from '../../../../../shared/report.ts';
import type { Recipe } from '../../../../../shared/recipe.ts';
import type { OnnxGraph } from '../read/graph.ts';
import type { NodeRecord, OnnxIndex } from '../read/records.ts';
import type { OnnxTensor } from '../read/stored.ts';
import type { FileSource } from '../../../source.ts';

/** The part of a plan that says how the copy computes. */
export interface Computing extends Pick<Plan, 'activations' | 'operators'> {
  readonly graph: OnnxGraph;
}

/** What is to be exported, and how. */
export interface OnnxExport {
  readonly index: OnnxIndex;
  readonly tensors: readonly OnnxTensor[];
  readonly files: readonly FileSource[];
  readonly plan: WeightPlans;
  /** In mode static: what is done to values and operators, and the graph that the plan's numbers are of. */
  readonly computing?: Computing | null;
  readonly mode: ExportMode;
  readonly recipe: Recipe;
  /** The file name of the export, after which its side file is named. */
  readonly targetName: string;
  /** What the values of tensors are like, by id, where the mode depends on it. */
  readonly statistics?: ReadonlyMap<number, Statistics>;
  /** External tensors of up to this many bytes that stay as they are are put into the model; 0 without it. */
  readonly inlineBytes?: number;
  /** Nodes that are known not to run on integers. */
  readonly floating?: ReadonlySet<NodeRecord>;
}
