import { basename } from 'node:path';
import type { ModelSummary } from '../../../shared/protocol.ts';
import type { OpenModel } from '../open-model.ts';
import { tensorSummaries } from '../summaries.ts';
import type { Context, Handlers } from './handler.ts';

/** Opening and closing models, and what a page that was reloaded finds. */
export function modelHandlers({
  models,
  exports,
  grants,
}: Context): Pick<Handlers, 'open' | 'close' | 'properties' | 'prepare' | 'running'> {
  return {
    open: async ({ handle }) => {
      const current = models.find(handle);
      // A page that was reloaded opens what is open: its export must not lose the file.
      if (current !== undefined && exports.isExporting(current.session)) return summaryOf(current);
      models.close(handle);
      return models.open(handle, await grants.path(handle, 'read')).summary();
    },
    close: ({ handle }) => {
      models.close(handle);
      return null;
    },
    properties: ({ handle }) => models.session(handle).opened.properties(),
    prepare: async ({ handle }, call) => {
      const model = models.model(handle);
      const { made: tensors, preparation } = await model.preparedView(call);
      const { files } = model.session.opened.model;
      const isMade = true as const;
      const summaries = tensorSummaries({ tensors, files }).map((each) => ({ ...each, isMade }));
      return { tensors: summaries, preparation };
    },
    running: () => {
      const handle = models.last;
      const file = handle === undefined ? undefined : grants.pathOf(handle);
      return {
        open: handle === undefined || file === undefined ? null : { handle, label: basename(file) },
        exports: exports.jobs,
      };
    },
  };
}

function summaryOf({ session, calibrations }: OpenModel): ModelSummary {
  const isNew = calibrations.static === null && calibrations.others === null;
  return { ...session.summary(), ...(isNew ? {} : { calibrated: calibrations }) };
}
