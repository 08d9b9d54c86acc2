import { isQuantizable } from '../../../shared/model.ts';
import { planWeights } from '../../../shared/plan.ts';
import { parseRecipe } from '../../../shared/recipe-file.ts';
import { figuresOf } from '../reports.ts';
import { countMatches } from '../rule-counts.ts';
import type { AnalyzeOptions } from '../session.ts';
import type { Call } from './call.ts';
import type { Context, Handlers } from './handler.ts';

/** Reports that go to the page in one message. */
const REPORTS = 2000;

/** What recipes make of weights. */
export function weightHandlers({
  models,
  pool,
}: Context): Pick<
  Handlers,
  | 'analyze'
  | 'inspect'
  | 'scales'
  | 'channels'
  | 'searchRanges'
  | 'planWeights'
  | 'countMatches'
  | 'dotProduct'
> {
  return {
    analyze: async ({ handle, recipe: asked, mode, first, withStatistics }, call) => {
      const recipe = parseRecipe(asked);
      const options = { ...streaming(call), mode, first, withStatistics, withScales: false };
      const { total } = await (
        await models.in(handle, mode, recipe, call)
      ).analyze(recipe, options);
      return total;
    },
    inspect: ({ handle, tensor, a, b, mode, bins }, call) => {
      const recipes = { a: parseRecipe(a), b: b === null ? null : parseRecipe(b) };
      return models.model(handle).inspect(tensor, recipes, { bins, mode }, call);
    },
    scales: async ({ handle, tensor, recipe: asked, mode }, call) => {
      const recipe = parseRecipe(asked);
      const model = await models.in(handle, mode, recipe, call);
      return model.scales(tensor, recipe, call.signal, mode);
    },
    channels: async ({ handle, tensor, recipe: asked, mode }, call) => {
      const recipe = parseRecipe(asked);
      const model = await models.in(handle, mode, recipe, call);
      return model.channels(tensor, recipe, call.signal, mode);
    },
    searchRanges: async ({ handle, tensor, recipe: asked, mode }, call) => {
      const recipe = parseRecipe(asked);
      const model = await models.in(handle, mode, recipe, call);
      return model.searchRanges(tensor, recipe, call.signal, mode);
    },
    planWeights: ({ handle, recipe }) =>
      planWeights(models.model(handle).tensors, parseRecipe(recipe)),
    countMatches: ({ handle, matches }) => {
      const { rules } = parseRecipe({
        ...{ version: 1, name: '', default: null },
        rules: matches.map((match) => ({ match, scheme: null })),
      });
      const weights = models.model(handle).tensors.filter(isQuantizable);
      return countMatches(
        rules.map(({ match }) => match),
        weights,
      );
    },
    dotProduct: ({ of, length, seed }, { signal }) => {
      if (of !== null) {
        const { session, tensor } = models.model(of.handle).valuesOf(of.tensor);
        return session.dotProduct(tensor, length, seed, signal);
      }
      const params = { files: [], tensor: null, length, seed };
      return pool.run('dot', params, { signal, what: 'random vectors', urgent: true });
    },
  };
}

/** Statistics and reports go to the page as they are found. */
function streaming({
  port,
  id,
  signal,
  onProgress,
}: Call): Pick<AnalyzeOptions, 'signal' | 'onProgress' | 'onStatistics' | 'onReports'> {
  return {
    signal,
    onProgress,
    onStatistics: (statistics) => port.post({ type: 'statistics', id, statistics }),
    onReports: (reports) => {
      for (let at = 0; at < reports.length; at += REPORTS)
        port.post({
          ...({ type: 'reports', id } as const),
          reports: reports.slice(at, at + REPORTS).map(figuresOf),
        });
    },
  };
}
