import { AppError } from '../../../shared/errors.ts';
import type { ExportMode } from '../../../shared/exports.ts';
import type { Handle } from '../../../shared/protocol.ts';
import type { Recipe } from '../../../shared/recipe.ts';
import { OpenModel } from '../open-model.ts';
import type { WorkerPool } from '../pool.ts';
import type { Runtime } from '../runtime/host.ts';
import type { RunOptions } from '../run-options.ts';
import { Session } from '../session.ts';
import type { Budgeted } from '../prepared-view.ts';

/** The models that pages have open, by handle. */
export class OpenModels {
  private readonly models = new Map<Handle, OpenModel>();
  private readonly pool: WorkerPool;
  private readonly runtime: Runtime;
  private readonly onChange: () => void;

  /** @param onChange told when a model was opened or closed */
  constructor(pool: WorkerPool, runtime: Runtime, onChange: () => void) {
    [this.pool, this.runtime, this.onChange] = [pool, runtime, onChange];
  }

  /** Open the file of a handle, in place of what was open under it. @throws AppError */
  open(handle: Handle, file: string): Session {
    this.close(handle);
    this.pool.warm();
    const session = Session.open(file, this.pool);
    this.models.set(handle, new OpenModel(session, this.pool, this.runtime));
    this.onChange();
    return session;
  }

  close(handle: Handle): void {
    this.models.get(handle)?.close();
    if (this.models.delete(handle)) this.onChange();
  }

  find(handle: Handle): OpenModel | undefined {
    return this.models.get(handle);
  }

  /** @throws AppError BAD_USAGE for a handle under which none is open */
  model(handle: Handle): OpenModel {
    const model = this.models.get(handle);
    if (model === undefined)
      throw new AppError('BAD_USAGE', 'that model is not open', { field: 'handle', found: handle });
    return model;
  }

  session(handle: Handle): Session {
    return this.model(handle).session;
  }

  /** As OpenModel.in. */
  in(handle: Handle, mode: ExportMode, recipe: Recipe, options: RunOptions): Promise<Budgeted> {
    return this.model(handle).in(mode, recipe, options);
  }

  /** The handle of the model that was opened last. */
  get last(): Handle | undefined {
    return [...this.models.keys()].at(-1);
  }

  get sessions(): readonly Session[] {
    return [...this.models.values()].map(({ session }) => session);
  }
}
