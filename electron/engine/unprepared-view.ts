import type { ExportMode } from '../../shared/exports.ts';
import type { Channels } from '../../shared/channels.ts';
import type { TensorRef } from '../../shared/model.ts';
import type { Recipe } from '../../shared/recipe.ts';
import type { Scales } from '../../shared/scales.ts';
import type { RangeCandidate, TensorDetail, TensorReport, Total } from '../../shared/report.ts';
import { foldedReport, foldedSide, type Budgeted, type PreparedView } from './prepared-view.ts';
import type { AnalyzeOptions, Session } from './session.ts';

/** Why an export has no tensor that preparing the model would make. */
export const ONLY_PREPARED =
  'is computed in advance when the model is prepared; this recipe does not prepare it';

/** A model that is exported as it is, while a window shows its prepared copy too: it has none of that copy's own tensors. */
export class UnpreparedView implements Budgeted {
  readonly previewExport: Budgeted['previewExport'];
  readonly export: Budgeted['export'];
  readonly replacedBy: Budgeted['replacedBy'];
  private readonly source: Session;
  private readonly view: PreparedView;

  constructor(source: Session, view: PreparedView) {
    [this.source, this.view] = [source, view];
    this.previewExport = source.previewExport.bind(source);
    this.export = source.export.bind(source);
    this.replacedBy = source.replacedBy.bind(source);
  }

  get tensors(): readonly TensorRef[] {
    return this.source.tensors;
  }

  /** As Session.analyze; tensors of the copy are told of besides. */
  analyze(
    recipe: Recipe,
    options: AnalyzeOptions,
  ): Promise<{ reports: TensorReport[]; total: Total }> {
    options.onReports?.(this.view.made.map((ref) => foldedReport(ref, ONLY_PREPARED)));
    return this.source.analyze(recipe, {
      ...options,
      first: (options.first ?? []).filter((id) => !this.isMade(id)),
    });
  }

  /** As Session.inspect. A tensor of the copy has its values and the reason. */
  async inspect(
    tensor: number,
    recipes: readonly (Recipe | null)[],
    bins: number,
    signal: AbortSignal,
    mode: ExportMode,
  ): Promise<TensorDetail> {
    if (!this.isMade(tensor)) return this.source.inspect(tensor, recipes, bins, signal, mode);
    const detail = await this.view.inspect(tensor, [null, null], bins, signal, mode);
    const side = foldedSide(this.view.tensors[tensor]!, ONLY_PREPARED, detail.statistics);
    return { ...detail, a: recipes[0] ? side : null, b: recipes[1] ? side : null };
  }

  /** As Session.scales; none of a tensor of the copy. */
  async scales(
    tensor: number,
    recipe: Recipe,
    signal: AbortSignal,
    mode: ExportMode,
  ): Promise<Scales> {
    if (this.isMade(tensor)) return { scale: [], zeroPoint: [] };
    return this.source.scales(tensor, recipe, signal, mode);
  }

  /** As Session.channels; none of a tensor of the copy. */
  async channels(
    tensor: number,
    recipe: Recipe,
    signal: AbortSignal,
    mode: ExportMode,
  ): Promise<Channels | null> {
    return this.isMade(tensor) ? null : this.source.channels(tensor, recipe, signal, mode);
  }

  /** As Session.searchRanges; none of a tensor of the copy. */
  async searchRanges(
    tensor: number,
    recipe: Recipe,
    signal: AbortSignal,
    mode: ExportMode,
  ): Promise<readonly RangeCandidate[]> {
    return this.isMade(tensor) ? [] : this.source.searchRanges(tensor, recipe, signal, mode);
  }

  private isMade(tensor: number): boolean {
    return tensor >= this.source.tensors.length;
  }
}
