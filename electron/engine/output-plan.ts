import { totalOfChoice, type Budget, type FilePlan, type Goal } from '../../shared/budget-plan.ts';
import { planBase, planFile } from './budget.ts';
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
const MAX_ROUNDS = 6;

/** A plan with no more dB to spare is not solved for less. */
const CLOSE_DB = 0.5;

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
  const { mode, exporter = session } = request;
  const sensitivities = await measureSensitivity(session, runtime, weights, request, options);
  const budget = budgetByOutputs(weights, sensitivities);
  const solve = (by: Budget, wanted: Goal): Promise<FilePlan> =>
    planFile(exporter, by, wanted, mode, options);
  const tried = async (solved: FilePlan): Promise<Tried> => {
    const { quantized, kept } = solved.total;
    const total = { ...totalOfChoice(budget, solved.chosen), quantized, kept };
    const plan = { ...solved, total };
    const under = { recipe: plan.recipe, mode, exporter };
    const [found] = await withExport(session, under, options, (exported) =>
      runNoise(session, runtime, [exported], request, options),
    );
    return { plan, found: found ?? null };
  };
  const first = await tried(await solve(budget, goal));
  if ('maxBytes' in goal) return measured(better(first, await tried(await solve(weights, goal))));
  const base = await tried(await planBase(exporter, budget, mode, options));
  return reaching(first, base, goal.minSqnrDb, async (more) => tried(await solve(budget, more)));
}

/**
 * The smallest file found whose outputs have so many dB as measured: the recipe's own, or a plan, solved for as much more
 * or less as the one before had too little or to spare. Where none has them, the last one.
 */
async function reaching(
  first: Tried,
  base: Tried,
  minSqnrDb: number,
  tried: (goal: Goal) => Promise<Tried>,
): Promise<OutputPlan> {
  let [last, floor] = [measured(first), minSqnrDb];
  const spare = ({ outputSqnrDb }: OutputPlan): number => (outputSqnrDb ?? Infinity) - minSqnrDb;
  const meeting = [measured(base)].filter((plan) => spare(plan) >= 0);
  for (let round = 0; ; round++) {
    const left = spare(last);
    if (left >= 0) meeting.push(last);
    const isClose = left >= 0 && left < CLOSE_DB;
    if (isClose || left === Infinity || !last.meets || round === MAX_ROUNDS) break;
    floor -= left;
    last = measured(await tried({ minSqnrDb: floor }));
  }
  const best = meeting.toSorted((a, b) => a.fileBytes.after - b.fileBytes.after)[0];
  return { ...(best ?? last), meets: best !== undefined };
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
