import { totalOfChoice, type Budget, type FilePlan, type Goal } from '../../shared/budget-plan.ts';
import { planFile } from './budget.ts';
import type { RunOptions } from './run-options.ts';
import { runNoise } from './copies-noise.ts';
import { isLessBeyondChance } from './margin.ts';
import type { Runtime } from './runtime/host.ts';
import type { OutputNoise } from './runtime/output-noise.ts';
import { withExport } from './runtime/run-models.ts';
import { budgetByOutputs, measureSensitivity, type SensitivityRequest } from './sensitivity.ts';
import type { Session } from './session.ts';

/** A plan by outputs, with the SQNR of its outputs as measured. */
export interface OutputPlan extends FilePlan {
  readonly outputSqnrDb: number | null;
}

/** How often a goal of dB is moved by as much as what was measured misses it. */
const MAX_ROUNDS = 4;

interface PlanRequest extends SensitivityRequest {
  /** By weights. */
  readonly budget: Budget;
  readonly goal: Goal;
}

/** A plan, and what the outputs of its export lose; null where they cannot be compared. */
interface Tried {
  readonly plan: FilePlan;
  readonly found: OutputNoise | null;
}

/**
 * The mix of schemes that reaches a goal with the least loss of the model's outputs, which is measured: a floor of dB
 * is met by the export as it runs on the samples, not by the estimate that chooses, and within a limit of bytes the plan
 * by weights is taken where its outputs lose less beyond chance.
 */
export async function planByOutputs(
  session: Session,
  runtime: Runtime,
  { budget: weights, goal, ...request }: PlanRequest,
  options: RunOptions,
): Promise<OutputPlan> {
  const { mode, inputs, exporter = session } = request;
  const sensitivities = await measureSensitivity(session, runtime, weights, request, options);
  const budget = budgetByOutputs(weights, sensitivities);
  const tried = async (by: Budget, wanted: Goal): Promise<Tried> => {
    const solved = await planFile(exporter, by, wanted, mode, options);
    const { quantized, kept } = solved.total;
    const total = { ...totalOfChoice(budget, solved.chosen), quantized, kept };
    const plan = { ...solved, total };
    const under = { recipe: plan.recipe, mode, exporter };
    const [found] = await withExport(session, under, options, (exported) =>
      runNoise(session, runtime, [exported], inputs, options),
    );
    return { plan, found: found ?? null };
  };
  const first = await tried(budget, goal);
  if ('minSqnrDb' in goal) return reaching(first, goal.minSqnrDb, (more) => tried(budget, more));
  return measured(better(first, await tried(weights, goal)));
}

/** A plan whose outputs have so many dB as measured, solved for more where they have less. */
async function reaching(
  first: Tried,
  minSqnrDb: number,
  tried: (goal: Goal) => Promise<Tried>,
): Promise<OutputPlan> {
  let [plan, floor] = [measured(first), minSqnrDb];
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const missing = minSqnrDb - (plan.outputSqnrDb ?? Infinity);
    if (missing <= 0 || !plan.meets) break;
    floor += missing;
    plan = measured(await tried({ minSqnrDb: floor }));
  }
  return { ...plan, meets: (plan.outputSqnrDb ?? Infinity) >= minSqnrDb };
}

/** The one that meets the goal; where both do, the first unless the other's outputs lose less beyond chance. */
function better(first: Tried, other: Tried): Tried {
  if (first.plan.meets !== other.plan.meets) return first.plan.meets ? first : other;
  if (first.found === null || other.found === null) return first;
  return isLessBeyondChance(other.found.bySample, first.found.bySample) ? other : first;
}

function measured({ plan, found }: Tried): OutputPlan {
  return { ...plan, outputSqnrDb: found === null ? null : -10 * Math.log10(found.noise) };
}
