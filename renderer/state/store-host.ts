import type { ChosenFile, PageApi } from '../../shared/ipc.ts';
import type { ExportMode } from '../../shared/exports.ts';
import type { ModelSummary } from '../../shared/protocol.ts';
import type { Announcer } from './announcer.svelte.ts';
import type { EngineClient } from './engine-client.ts';
import type { Jobs } from './jobs.svelte.ts';
import type { RecipeHistory } from './recipe-history.svelte.ts';
import type { RecipePair } from './recipes.ts';
import type { Selection } from './selection.svelte.ts';

/**
 * What the stores know of the workbench that holds them. Each takes a part of it, so that the workbench
 * imports its stores and they do not import it.
 */
export interface StoreHost {
  readonly api: PageApi;
  readonly client: EngineClient;
  readonly announcer: Announcer;
  readonly jobs: Jobs;
  readonly selection: Selection;
  readonly file: ChosenFile | null;
  readonly model: ModelSummary | null;
  /** The export mode whose plan is measured and shown. */
  readonly mode: ExportMode;
  readonly exportMode: { readonly calibrated: ExportMode };
  readonly recipes: RecipePair;
  readonly history: RecipeHistory;
  readonly compare: boolean;
  /** What is shown of the current tensor: whether it was asked for under the recipes as they are. */
  readonly inspection: { readonly isCurrent: boolean };
  /** Make the prepared copy of the model, and tell of its tensors besides. @throws AppError */
  prepare(): Promise<void>;
  /** The name of a tensor on screen. */
  nameOf(tensor: number): string;
  fail(error: unknown): void;
  failAnalysis(error: unknown): void;
}
