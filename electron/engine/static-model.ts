import type { ActivationDetail, LayerActivation } from '../../shared/activations.ts';
import type { ExportMode, ExportPreview, ExportResult } from '../../shared/exports.ts';
import type { Ranges } from '../../shared/ranges.ts';
import type { Recipe } from '../../shared/recipe.ts';
import type { Channels } from '../../shared/channels.ts';
import type { Scales } from '../../shared/scales.ts';
import {
  totalOf,
  type RangeCandidate,
  type TensorDetail,
  type TensorReport,
  type Total,
} from '../../shared/report.ts';
import { Activations } from './activations.ts';
import { whyGone } from './calibrate/counterparts.ts';
import type { PreparedModel } from './calibrate/prepared.ts';
import { inspectedSide, keptReport } from './reports.ts';
import type { ExportOptions } from './exporting.ts';
import type { RunOptions } from './run-options.ts';
import type { AnalyzeOptions, Session } from './session.ts';

/** What a model is asked of in a mode. In mode static its calibrated copy answers, by the source's numbers. */
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
    /** Mode static: the weights that operators on integers take as codes under a recipe, and the biases of these. */
    onIntegers?(recipe: Recipe): ReadonlyMap<number, readonly number[]>;
  };

/** A recipe that changes nothing of the model. */
function keeping(recipe: Recipe): Recipe {
  return { ...recipe, default: null, rules: [] };
}

/** A calibrated model: the prepared copy is measured and written, and told of by the tensors of its source. */
export class StaticModel implements Budgeted {
  /** Those that the prepared model's plans go by. */
  readonly ranges: Ranges;
  private readonly source: Session;
  private readonly prepared: PreparedModel;
  private readonly activations: Activations;
  private readonly whyGone: (tensor: number) => string;

  /** @param ranges those that the prepared model's plans go by */
  constructor(source: Session, prepared: PreparedModel, ranges: Ranges) {
    this.source = source;
    this.prepared = prepared;
    this.ranges = ranges;
    this.activations = new Activations(prepared.session.opened.graph(), ranges);
    this.whyGone = whyGone(source.opened);
  }

  get tensors(): Session['tensors'] {
    return this.source.tensors;
  }

  /** As Session.analyze: one report for each tensor of the source, in its order. */
  async analyze(
    recipe: Recipe,
    options: AnalyzeOptions,
  ): Promise<{ reports: TensorReport[]; total: Total }> {
    const { sourceOf, preparedOf } = this.prepared.counterparts;
    const { tensors } = this.source;
    const gone = tensors.flatMap((ref) =>
      preparedOf.has(ref.id) ? [] : [this.goneReport(ref.id)],
    );
    const reports = new Map(gone.map((report) => [report.tensor, report]));
    options.onReports?.(gone);
    const settle = (made: readonly TensorReport[]): void => {
      const named = made.flatMap((report) => this.asSource(report));
      for (const report of named) reports.set(report.tensor, report);
      options.onReports?.(named);
    };
    await this.session.analyze(recipe, {
      ...options,
      mode: 'static',
      first: (options.first ?? []).flatMap((id) => preparedOf.get(id) ?? []),
      onReports: settle,
      onStatistics: (entries) =>
        options.onStatistics?.(
          entries.flatMap(({ tensor, statistics }) => {
            const source = sourceOf.get(tensor);
            return source === undefined ? [] : [{ tensor: source, statistics }];
          }),
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
  ): Promise<TensorDetail> {
    const own = this.prepared.counterparts.preparedOf.get(tensor);
    if (own !== undefined) {
      const detail = await this.session.inspect(own, recipes, bins, signal, 'static');
      const side = (of: TensorDetail['a']): TensorDetail['a'] =>
        of === null ? null : { ...of, report: { ...of.report, tensor } };
      return { ...detail, tensor, a: side(detail.a), b: side(detail.b) };
    }
    const detail = await this.source.inspect(tensor, [null, null], bins, signal);
    const entry = { tensor, scheme: null, reason: this.whyGone(tensor), byRule: false };
    const side = (recipe: Recipe | null | undefined): TensorDetail['a'] =>
      recipe === null || recipe === undefined
        ? null
        : inspectedSide(this.source.tensors[tensor]!, entry, null, detail.statistics);
    return { ...detail, a: side(recipes[0]), b: side(recipes[1]) };
  }

  /** As Session.scales. */
  async scales(tensor: number, recipe: Recipe, signal: AbortSignal): Promise<Scales> {
    const own = this.prepared.counterparts.preparedOf.get(tensor);
    if (own === undefined) return { scale: [], zeroPoint: [] };
    return this.session.scales(own, recipe, signal, 'static');
  }

  /** As Session.channels. A tensor that is not in the prepared model has its ranges only. */
  async channels(tensor: number, recipe: Recipe, signal: AbortSignal): Promise<Channels | null> {
    const own = this.prepared.counterparts.preparedOf.get(tensor);
    if (own !== undefined) return this.session.channels(own, recipe, signal, 'static');
    return this.source.channels(tensor, { ...recipe, default: null, rules: [] }, signal);
  }

  /** As Session.searchRanges. */
  async searchRanges(
    tensor: number,
    recipe: Recipe,
    signal: AbortSignal,
  ): Promise<readonly RangeCandidate[]> {
    const own = this.prepared.counterparts.preparedOf.get(tensor);
    return own === undefined ? [] : this.session.searchRanges(own, recipe, signal, 'static');
  }

  /** By the numbers of the source: the weights that operators on integers take, with the biases of these. */
  onIntegers(recipe: Recipe): ReadonlyMap<number, readonly number[]> {
    const { sourceOf, preparedOf } = this.prepared.counterparts;
    const plan = this.session.plan(recipe, 'static');
    const taken = new Map<number, readonly number[]>();
    for (const [source, own] of preparedOf) {
      const operator = this.activations.integerTaker(own, plan);
      if (operator === null) continue;
      const bias = operator.bias === undefined ? undefined : sourceOf.get(operator.bias.tensor);
      taken.set(source, bias === undefined ? [] : [bias]);
    }
    return taken;
  }

  /** The outputs of the operators of all weights, in the source's order. */
  layerActivations(recipe: Recipe): readonly LayerActivation[] {
    const plan = this.session.plan(recipe, 'static');
    return [...this.prepared.counterparts.preparedOf].flatMap(([source, own]) => {
      if (this.source.tensors[source]!.role !== 'weight') return [];
      return this.activations.of(own, source, plan) ?? [];
    });
  }

  /** All that is known of the output of one weight's operator; null where none is. */
  activation(tensor: number, recipe: Recipe, bins: number): ActivationDetail | null {
    const own = this.prepared.counterparts.preparedOf.get(tensor);
    if (own === undefined) return null;
    const plan = this.session.plan(recipe, 'static');
    return this.activations.detail(own, tensor, { plan, recipe, bins });
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
      return { ...preview, bytesBefore: this.source.bytes };
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
    return { ...result, bytesBefore: this.source.bytes };
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

  /** The mode that the source is copied in. */
  private get copyMode(): ExportMode {
    return this.source.opened.modes[0]!;
  }

  private get session(): Session {
    return this.prepared.session;
  }

  private beside(options: ExportOptions): ExportOptions {
    return { ...options, inputs: [...(options.inputs ?? []), ...this.source.opened.files] };
  }

  private goneReport(tensor: number): TensorReport {
    const reason = this.whyGone(tensor);
    const entry = { tensor, scheme: null, reason, byRule: false };
    return { ...keptReport(this.source.tensors[tensor]!, entry, null), bytesAfter: 0 };
  }

  private asSource(report: TensorReport): TensorReport[] {
    const tensor = this.prepared.counterparts.sourceOf.get(report.tensor);
    if (tensor === undefined) return [];
    return [{ ...report, tensor, bytesBefore: this.source.tensors[tensor]!.bytes }];
  }
}
