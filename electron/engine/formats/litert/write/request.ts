import type { Plan, WeightPlans } from '../../../../../shared/plan.ts';
import type { ExportMode } from '../../../../../shared/exports.ts';
import type { Recipe } from '../../../../../shared/recipe.ts';
import type { PagedBytes } from '../read/paged-bytes.ts';
import type { LitertGraph } from '../read/graph.ts';
import type { LitertIndex } from '../read/records.ts';
import type { LitertTensor } from '../read/tensors.ts';
import type { StoredForm } from './stored-form.ts';

/** What is to be exported, and how. */
export interface LitertExport {
  readonly index: LitertIndex;
  readonly tensors: readonly LitertTensor[];
  readonly source: PagedBytes;
  readonly plan: WeightPlans;
  readonly mode: ExportMode;
  readonly recipe: Recipe;
  /** What mode static does to operators and the values between them; null in other modes. */
  readonly computing: Computing | null;
}

/** The part of a static plan that is not about weights, and the graph that its numbers are of. */
export interface Computing extends Pick<Plan, 'activations' | 'operators' | 'io'> {
  readonly graph: LitertGraph;
}

/** A weight that the export stores anew. */
export interface Replaced {
  readonly tensor: LitertTensor;
  readonly form: StoredForm;
  /** Why the scheme is not the plan's. */
  readonly reason: string | null;
}
