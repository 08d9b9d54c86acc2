import { parseRecipe } from '../../../shared/recipe-file.ts';
import type { Context, Handlers } from './handler.ts';

/** Quantized copies. */
export function exportHandlers({
  models,
  exports,
  grants,
}: Context): Pick<Handlers, 'previewExport' | 'export' | 'replacedFiles' | 'follow'> {
  return {
    previewExport: async ({ handle, recipe: asked, mode }, call) => {
      const recipe = parseRecipe(asked);
      return (await models.in(handle, mode, recipe, call)).previewExport(recipe, mode, call);
    },
    export: async ({ handle, recipe, mode, target, overwrite, integerOnly = false }, call) => {
      const path = await grants.path(target, 'write');
      const wanted = parseRecipe(recipe);
      const exporter = await models.in(handle, mode, wanted, call);
      return exports.run(models.session(handle), path, call, (onProgress) =>
        exporter.export(wanted, mode, path, {
          ...{ signal: call.signal, onProgress },
          ...{ overwrite, integerOnly },
        }),
      );
    },
    replacedFiles: async ({ handle, recipe: asked, mode, target }, call) => {
      const [path, recipe] = [await grants.path(target, 'write'), parseRecipe(asked)];
      return (await models.in(handle, mode, recipe, call)).replacedBy(recipe, mode, path, call);
    },
    follow: ({ job }, call) => exports.follow(job, call),
  };
}
