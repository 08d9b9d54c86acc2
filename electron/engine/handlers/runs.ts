import type { AnswerSlot, Handle, RunInputs, ShownAs } from '../../../shared/protocol.ts';
import type { VerifyResult } from '../../../shared/verification.ts';
import type { LayerErrors } from '../../../shared/layer-errors.ts';
import { parseRecipe } from '../../../shared/recipe-file.ts';
import type { Wanted } from '../answers/kept-run.ts';
import type { Grants } from '../grants.ts';
import { runHintsOf } from '../runtime/run-hints.ts';
import {
  measureLayersOf,
  runBeside,
  runUnder,
  withExport,
  type Inputs,
} from '../runtime/run-models.ts';
import type { Context, Handlers } from './handler.ts';
import type { OpenModels } from './open-models.ts';

/** Models in their runtime: outputs beside the original's, answers, and errors by layer. */
export function runHandlers({
  models,
  grants,
  runtime,
}: Context): Pick<Handlers, 'verify' | 'run' | 'answers' | 'agreement' | 'layerErrors'> {
  return {
    // An exported model is one that was just written, or one that was chosen to be read.
    verify: async ({ handle, exported, keep, ...inputs }, call) => {
      const path = await grants.path(exported, 'read', 'write');
      const wanted = await runInputs(grants, inputs);
      return keepingOutputs(models, handle, keep, (keeping) =>
        runBeside(models.session(handle), runtime, path, { ...wanted, ...keeping }, call),
      );
    },
    run: async ({ handle, recipe: asked, mode, keep, ...inputs }, call) => {
      const [wanted, recipe] = [await runInputs(grants, inputs), parseRecipe(asked)];
      const under = { recipe, mode, exporter: await models.in(handle, mode, recipe, call) };
      return keepingOutputs(models, handle, keep, (keeping) =>
        runUnder(models.session(handle), runtime, under, { ...wanted, ...keeping }, call),
      );
    },
    answers: async ({ handle, slot, sample, shown }) =>
      models
        .model(handle)
        .answers.run(slot)
        .sample(sample, await wantedAnswers(grants, shown)),
    agreement: async ({ handle, slot, shown }, { signal }) =>
      models
        .model(handle)
        .answers.run(slot)
        .totals(await wantedAnswers(grants, shown), signal),
    layerErrors: async ({ handle, of, only, ...inputs }, call) => {
      const [session, wanted] = [models.session(handle), await runInputs(grants, inputs)];
      const measure = (exported: string): Promise<LayerErrors> =>
        measureLayersOf(session, runtime, exported, wanted, call, only ?? undefined);
      if ('exported' in of) return measure(await grants.path(of.exported, 'read', 'write'));
      const [{ mode }, recipe] = [of, parseRecipe(of.recipe)];
      const exporter = await models.in(handle, mode, recipe, call);
      const errors = await withExport(session, { recipe, mode, exporter }, call, measure);
      return exporter.ownLayers?.(errors) ?? errors;
    },
  };
}

/** What a model is run on; a handle names a folder. */
export async function runInputs(
  grants: Grants,
  { samples, seed, inputs, calibration }: RunInputs,
): Promise<Inputs> {
  const folder = inputs === null ? null : await grants.path(inputs, 'read');
  return { samples, seed, inputs: folder, settings: calibration };
}

/** Run a model, and keep its outputs in a slot where one is given. */
function keepingOutputs(
  models: OpenModels,
  handle: Handle,
  slot: AnswerSlot | undefined,
  work: (inputs: Pick<Inputs, 'keep'>) => Promise<VerifyResult>,
): Promise<VerifyResult> {
  if (slot === undefined) return work({});
  const { answers, session } = models.model(handle);
  const { opened } = session;
  const facts = { runtime: runHintsOf(opened).runtime, model: opened.files[0]!.path };
  return answers.keep(slot, facts, (keep) => work({ keep }));
}

async function wantedAnswers(
  grants: Grants,
  shown: readonly ShownAs[],
): Promise<readonly Wanted[]> {
  const wanted: Wanted[] = [];
  for (const { output, kind, names, order } of shown) {
    const namesFile = names === null ? null : await grants.path(names, 'read');
    wanted.push({ output, kind, namesFile, order });
  }
  return wanted;
}
