import { candidateSchemes, type Budget } from '../../../shared/budget-plan.ts';
import { AppError } from '../../../shared/errors.ts';
import type { ExportMode } from '../../../shared/exports.ts';
import { parseRecipe } from '../../../shared/recipe-file.ts';
import { defaultCandidates, measureBudget, planFile } from '../budget.ts';
import { budgetByOutputs, measureSensitivity } from '../sensitivity.ts';
import { sensitivityTable } from '../sensitivity-table.ts';
import type { Session } from '../session.ts';
import type { Budgeted } from '../prepared-view.ts';
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
      const [session, base] = [models.session(handle), parseRecipe(recipe)];
      const model = await models.in(handle, mode, base, call);
      const names = candidates ?? defaultCandidates(session, mode);
      const request = { base, mode, candidates: candidateSchemes(names) };
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
    sensitivity: async ({ handle, recipe: asked, mode, inFloat, ...outputs }, call) => {
      const [inputs, recipe] = [await runInputs(grants, outputs), parseRecipe(asked)];
      const exporter = await models.in(handle, mode, recipe, call);
      const request = { recipe, mode, inFloat, inputs, exporter };
      return sensitivityTable(models.session(handle), runtime, request, call);
    },
  };
}
