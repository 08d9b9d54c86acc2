import { candidateSchemes, type Budget } from '../../../shared/budget-plan.ts';
import { AppError } from '../../../shared/errors.ts';
import type { ExportMode } from '../../../shared/exports.ts';
import { parseRecipe } from '../../../shared/recipe-file.ts';
import { defaultCandidates, measureBudget, planFile } from '../budget.ts';
import { budgetByOutputs, measureSensitivity } from '../sensitivity.ts';
import { sensitivityTable } from '../sensitivity-table.ts';
import type { Session } from '../session.ts';
import type { Budgeted } from '../static-model.ts';
import type { Context, Handlers } from './handler.ts';
import { runInputs } from './runs.ts';

/** What fits a size, or keeps an SQNR. */
export function budgetHandlers({
  models,
  grants,
  runtime,
}: Context): Pick<Handlers, 'budget' | 'budgetPlan' | 'sensitivity'> {
  /** What was measured last of each model, which goals are solved in. */
  const measured = new WeakMap<Session, { budget: Budget; mode: ExportMode; model: Budgeted }>();
  return {
    budget: async ({ handle, recipe, mode, candidates, outputs }, call) => {
      const session = models.session(handle);
      const model = models.in(handle, mode);
      const names = candidates ?? defaultCandidates(session, mode);
      const request = { base: parseRecipe(recipe), mode, candidates: candidateSchemes(names) };
      let budget = await measureBudget(model, request, call);
      if (outputs !== null) {
        const inputs = await runInputs(grants, outputs);
        const wanted = { mode, inputs, exporter: model };
        const found = await measureSensitivity(session, runtime, budget, wanted, call);
        budget = budgetByOutputs(budget, found);
      }
      measured.set(session, { budget, mode, model });
      return { budget, candidates: names };
    },
    budgetPlan: ({ handle, goal }, call) => {
      const session = models.session(handle);
      const found = measured.get(session);
      if (found === undefined)
        throw new AppError('BAD_USAGE', 'no budget of this model is measured', {
          field: 'handle',
          found: handle,
        });
      return planFile(found.model, found.budget, goal, found.mode, call);
    },
    sensitivity: async ({ handle, recipe, mode, inFloat, ...outputs }, call) => {
      const [inputs, exporter] = [await runInputs(grants, outputs), models.in(handle, mode)];
      const request = { recipe: parseRecipe(recipe), mode, inFloat, inputs, exporter };
      return sensitivityTable(models.session(handle), runtime, request, call);
    },
  };
}
