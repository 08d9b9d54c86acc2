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
    analyze: async ({ handle, recipe, mode, first, withStatistics }, call) => {
      const options = { ...streaming(call), mode, first, withStatistics, withScales: false };
      const { total } = await models.in(handle, mode).analyze(parseRecipe(recipe), options);
      return total;
    },
    inspect: ({ handle, tensor, a, b, mode, bins }, { signal }) => {
      const recipes = [parseRecipe(a), b === null ? null : parseRecipe(b)];
      return models.in(handle, mode).inspect(tensor, recipes, bins, signal, mode);
    },
    scales: ({ handle, tensor, recipe, mode }, { signal }) =>
      models.in(handle, mode).scales(tensor, parseRecipe(recipe), signal, mode),
    channels: ({ handle, tensor, recipe, mode }, { signal }) =>
      models.in(handle, mode).channels(tensor, parseRecipe(recipe), signal, mode),
    searchRanges: ({ handle, tensor, recipe, mode }, { signal }) =>
      models.in(handle, mode).searchRanges(tensor, parseRecipe(recipe), signal, mode),
    planWeights: ({ handle, recipe }) =>
      planWeights(models.session(handle).tensors, parseRecipe(recipe)),
    countMatches: ({ handle, matches }) => {
      const { rules } = parseRecipe({
        ...{ version: 1, name: '', default: null },
        rules: matches.map((match) => ({ match, scheme: null })),
      });
      const weights = models.session(handle).tensors.filter(isQuantizable);
      return countMatches(
        rules.map(({ match }) => match),
        weights,
      );
    },
    dotProduct: ({ of, length, seed }, { signal }) => {
      if (of !== null) return models.session(of.handle).dotProduct(of.tensor, length, seed, signal);
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
