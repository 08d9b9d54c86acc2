import { parseRecipe } from '../../../shared/recipe-file.ts';
import type { Context, Handlers } from './handler.ts';

/** Quantized copies. */
export function exportHandlers({
  models,
  exports,
  grants,
}: Context): Pick<Handlers, 'previewExport' | 'export' | 'replacedFiles' | 'follow'> {
  return {
    previewExport: ({ handle, recipe, mode }, call) =>
      models.in(handle, mode).previewExport(parseRecipe(recipe), mode, call),
    export: async ({ handle, recipe, mode, target, overwrite, integerOnly = false }, call) => {
      const path = await grants.path(target, 'write');
      const wanted = parseRecipe(recipe);
      const exporter = models.in(handle, mode);
      return exports.run(models.session(handle), path, call, (onProgress) =>
        exporter.export(wanted, mode, path, {
          ...{ signal: call.signal, onProgress },
          ...{ overwrite, integerOnly },
        }),
      );
    },
    replacedFiles: async ({ handle, recipe, mode, target }, call) => {
      const path = await grants.path(target, 'write');
      return models.in(handle, mode).replacedBy(parseRecipe(recipe), mode, path, call);
    },
    follow: ({ job }, call) => exports.follow(job, call),
  };
}
