import type { ExportMode, ExportPreview, ExportResult } from '../../shared/exports.ts';
import type { LayerErrors } from '../../shared/layer-errors.ts';
import type { TensorRef } from '../../shared/model.ts';
import type { Preparation } from '../../shared/preparation.ts';
import type { Recipe } from '../../shared/recipe.ts';
import type { Channels } from '../../shared/channels.ts';
import type { Scales } from '../../shared/scales.ts';
import {
  totalOf,
  type RangeCandidate,
  type SideDetail,
  type Statistics,
  type TensorDetail,
  type TensorReport,
  type Total,
} from '../../shared/report.ts';
import { whyGone, type Counterparts } from './calibrate/counterparts.ts';
import type { PreparedModel } from './calibrate/prepared.ts';
import { inspectedSide, keptReport } from './reports.ts';
import type { ExportOptions } from './exporting.ts';
import type { RunOptions } from './run-options.ts';
import type { AnalyzeOptions, Session } from './session.ts';

/** What a model is asked of under a recipe in a mode. Where the export is of a prepared copy, that answers, by the source's numbers. */
export type Measurable = Pick<
  Session,
  | 'analyze'
  | 'inspect'
  | 'scales'
  | 'channels'
  | 'searchRanges'
  | 'previewExport'
  | 'export'
  | 'replacedBy'
>;

/** What a budget is measured of, and its plans are written with. */
export type Budgeted = Pick<Session, 'tensors'> &
  Measurable & {
    /** What preparing the model changed; absent or null where it is not prepared. */
    readonly preparation?: Preparation | null;
    /** Mode static: the weights that operators on integers take as codes under a recipe, and the biases of these. */
    onIntegers?(recipe: Recipe): ReadonlyMap<number, readonly number[]>;
    ownLayers?(errors: LayerErrors): LayerErrors;
    /** Mode static: what the file stores beside tensors of the model. */
    storedActivations?(recipe: Recipe): StoredActivations;
  };

/** Values between operators that are quantized, and the bytes of their parameters. */
export interface StoredActivations {
  readonly values: number;
  readonly bytes: number;
}

/** A recipe that changes nothing of the model. */
function keeping(recipe: Recipe): Recipe {
  return { ...recipe, default: null, rules: [], prepare: undefined };
}

/** The report of a tensor that an export does not have. */
export function foldedReport(ref: TensorRef, reason: string): TensorReport {
  const entry = { tensor: ref.id, scheme: null, reason, byRule: false };
  return { ...keptReport(ref, entry, null), folded: true, bytesAfter: 0 };
}

/** What the inspector shows of it under a recipe. */
export function foldedSide(ref: TensorRef, reason: string, statistics: Statistics): SideDetail {
  const entry = { tensor: ref.id, scheme: null, reason, byRule: false };
  const side = inspectedSide(ref, entry, null, statistics)!;
  return { ...side, report: { ...side.report, folded: true, bytesAfter: 0 } };
}

/**
 * A model that is exported by way of its prepared copy: the copy is measured and written, and told of by numbers of the
 * source's tensors. Those that only the copy has come after them, with the numbers that follow.
 */
export class PreparedView implements Budgeted {
  readonly tensors: readonly TensorRef[];
  /** Those of the copy that its source has not; the source stores no byte of them. */
  readonly made: readonly TensorRef[];
  protected readonly source: Session;
  protected readonly prepared: PreparedModel;
  /** The numbers of tensors that are told of, and those that the copy gives them. */
  protected readonly numbers: Counterparts;
  private readonly whyGone: (tensor: number) => string;

  constructor(source: Session, prepared: PreparedModel) {
    this.source = source;
    this.prepared = prepared;
    this.whyGone = whyGone(source.opened);
    const sourceOf = new Map(prepared.counterparts.sourceOf);
    const preparedOf = new Map(prepared.counterparts.preparedOf);
    const own = prepared.session.tensors.filter(({ id }) => !sourceOf.has(id));
    this.made = own.map((tensor, at) => ({ ...tensor, id: source.tensors.length + at, bytes: 0 }));
    for (const [at, { id }] of own.entries()) {
      sourceOf.set(id, this.made[at]!.id);
      preparedOf.set(this.made[at]!.id, id);
    }
    this.tensors = [...source.tensors, ...this.made];
    this.numbers = { sourceOf, preparedOf };
  }

  /** The copy's session and its number of a tensor that it has. */
  holderOf(tensor: number): { readonly session: Session; readonly tensor: number } {
    return { session: this.session, tensor: this.numbers.preparedOf.get(tensor)! };
  }

  /** As Session.analyze: one report for each tensor of the source, in its order, and of the copy's own behind them. */
  async analyze(
    recipe: Recipe,
    options: AnalyzeOptions,
  ): Promise<{ reports: TensorReport[]; total: Total }> {
    const { sourceOf, preparedOf } = this.numbers;
    const { tensors } = this;
    const gone = tensors.flatMap((ref) => (preparedOf.has(ref.id) ? [] : [this.goneReport(ref)]));
    const reports = new Map(gone.map((report) => [report.tensor, report]));
    options.onReports?.(gone);
    const settle = (made: readonly TensorReport[]): void => {
      const named = made.map((report) => this.asSource(report));
      for (const report of named) reports.set(report.tensor, report);
      options.onReports?.(named);
    };
    await this.session.analyze(recipe, {
      ...options,
      first: (options.first ?? []).flatMap((id) => preparedOf.get(id) ?? []),
      onReports: settle,
      onStatistics: (entries) =>
        options.onStatistics?.(
          entries.map(({ tensor, statistics }) => ({ tensor: sourceOf.get(tensor)!, statistics })),
        ),
    });
    const all = tensors.map(({ id }) => reports.get(id)!);
    return { reports: all, total: totalOf(all, (tensor) => tensors[tensor]!.elements) };
  }

  /** As Session.inspect. A tensor that is not in the prepared model has its values and the reason. */
  async inspect(
    tensor: number,
    recipes: readonly (Recipe | null)[],
    bins: number,
    signal: AbortSignal,
    mode: ExportMode,
  ): Promise<TensorDetail> {
    const own = this.numbers.preparedOf.get(tensor);
    if (own !== undefined) {
      const detail = await this.session.inspect(own, recipes, bins, signal, mode);
      const side = (of: TensorDetail['a']): TensorDetail['a'] =>
        of === null ? null : { ...of, report: { ...of.report, tensor } };
      return { ...detail, tensor, a: side(detail.a), b: side(detail.b) };
    }
    const detail = await this.source.inspect(tensor, [null, null], bins, signal);
    const side = foldedSide(this.source.tensors[tensor]!, this.whyGone(tensor), detail.statistics);
    return { ...detail, a: recipes[0] ? side : null, b: recipes[1] ? side : null };
  }

  /** As Session.scales. */
  async scales(
    tensor: number,
    recipe: Recipe,
    signal: AbortSignal,
    mode: ExportMode,
  ): Promise<Scales> {
    const own = this.numbers.preparedOf.get(tensor);
    if (own === undefined) return { scale: [], zeroPoint: [] };
    return this.session.scales(own, recipe, signal, mode);
  }

  /** As Session.channels. A tensor that is not in the prepared model has its ranges only. */
  async channels(
    tensor: number,
    recipe: Recipe,
    signal: AbortSignal,
    mode: ExportMode,
  ): Promise<Channels | null> {
    const own = this.numbers.preparedOf.get(tensor);
    if (own !== undefined) return this.session.channels(own, recipe, signal, mode);
    return this.source.channels(tensor, keeping(recipe), signal);
  }

  /** As Session.searchRanges. */
  async searchRanges(
    tensor: number,
    recipe: Recipe,
    signal: AbortSignal,
    mode: ExportMode,
  ): Promise<readonly RangeCandidate[]> {
    const own = this.numbers.preparedOf.get(tensor);
    return own === undefined ? [] : this.session.searchRanges(own, recipe, signal, mode);
  }

  /** As Session.previewExport, beside the source's size. */
  async previewExport(
    recipe: Recipe,
    mode: ExportMode,
    options: RunOptions,
  ): Promise<ExportPreview> {
    const preview = await this.session.previewExport(recipe, mode, options);
    const { quantized, kept, outline } = preview;
    if (quantized > 0 || (outline?.integerOperators ?? 0) > 0)
      return { ...preview, bytesBefore: this.source.bytes, ...this.changes };
    const copied = await this.source.previewExport(keeping(recipe), this.copyMode, options);
    return { ...copied, mode, kept, ...(outline === undefined ? {} : { outline }) };
  }

  /** As Session.export. The source is never written over, and copied where nothing changes. */
  async export(
    recipe: Recipe,
    mode: ExportMode,
    target: string,
    options: ExportOptions,
  ): Promise<ExportResult> {
    this.source.assertUnchanged();
    const writeUnchanged = async (): Promise<number> => {
      const copy = this.source.export(keeping(recipe), this.copyMode, target, {
        ...options,
        refuseUnchanged: false,
        integerOnly: false,
      });
      return (await copy).bytesAfter;
    };
    const result = await this.session.export(recipe, mode, target, {
      ...this.beside(options),
      writeUnchanged,
    });
    const isCopied = result.quantized === 0 && (result.integerOperators ?? 0) === 0;
    return { ...result, bytesBefore: this.source.bytes, ...(isCopied ? {} : this.changes) };
  }

  /** As Session.replacedBy. */
  replacedBy(
    recipe: Recipe,
    mode: ExportMode,
    target: string,
    options: RunOptions,
  ): Promise<string[]> {
    return this.session.replacedBy(recipe, mode, target, this.beside(options));
  }

  /** Layers with the weights that an export of the copy has of them. */
  ownLayers(errors: LayerErrors): LayerErrors {
    const layers = errors.layers.map((layer) => {
      const made = this.made.filter(({ consumers }) =>
        consumers.some(({ node, op }) => node === layer.name && op === layer.op),
      );
      const kept = layer.tensors.filter((id) => this.numbers.preparedOf.has(id));
      const own = [...kept, ...made.filter(({ role }) => role === 'weight').map(({ id }) => id)];
      return own.length === 0 ? layer : { ...layer, tensors: own };
    });
    return { ...errors, layers };
  }

  /** What preparing changed; null for a model that is its own copy. */
  get preparation(): Preparation | null {
    return this.prepared.preparation;
  }

  protected get session(): Session {
    return this.prepared.session;
  }

  /** What preparing changes, for exports that are not the source unchanged. */
  private get changes(): Pick<ExportResult, 'preparation'> {
    const { preparation } = this;
    return preparation === null ? {} : { preparation };
  }

  /** The mode that the source is copied in. */
  private get copyMode(): ExportMode {
    return this.source.opened.modes[0]!;
  }

  private beside(options: ExportOptions): ExportOptions {
    return { ...options, inputs: [...(options.inputs ?? []), ...this.source.opened.files] };
  }

  private goneReport(ref: TensorRef): TensorReport {
    return foldedReport(ref, this.whyGone(ref.id));
  }

  private asSource(report: TensorReport): TensorReport {
    const tensor = this.numbers.sourceOf.get(report.tensor)!;
    return { ...report, tensor, bytesBefore: this.tensors[tensor]!.bytes };
  }
}
