import type { DtypeName } from '../../../shared/dtypes.ts';
import type { FormatFacts } from '../../../shared/formats.ts';
import type { ExportMode } from '../../../shared/exports.ts';
import type { Equalization } from '../../../shared/equalization.ts';
import type { Kernels } from '../../../shared/kernels.ts';
import type { ModelGraph } from '../../../shared/graph.ts';
import type { Model } from '../../../shared/model.ts';
import type { ModelProperties } from '../../../shared/properties.ts';
import type { Plan, ValuePlan, WeightPlans } from '../../../shared/plan.ts';
import type { ChosenRange, ObservedChannels, Ranges } from '../../../shared/ranges.ts';
import type { Statistics } from '../../../shared/report.ts';
import type { ActivationDtype, ActivationScheme, Recipe } from '../../../shared/recipe.ts';
import type { Scheme } from '../../../shared/scheme.ts';
import type { RunHints } from '../runtime/inputs.ts';
import type { ChannelView } from '../quantize/channel-view.ts';
import type { SumsOfWeight } from '../quantize/weight-excess.ts';
import type { FileSource } from '../source.ts';
import type { Layout } from '../export/layout.ts';

/** A model that is open: its structure in memory, its values in its files. */
export interface OpenedModel {
  readonly model: Model;
  readonly files: readonly FileSource[];
  /** What an export's file name ends with, its dots included. */
  readonly extension: string;
  /** The export modes there are, the first of them the one that is taken when none is asked for. */
  readonly modes: readonly ExportMode[];
  /** Names of the schemes that a budget chooses from where the user names none; absent for those of every format. */
  readonly candidates?: readonly string[];
  /** The name of the recipe that this file says it was exported under; absent or null where it says none. */
  recipeName?(): string | null;
  /** What a graph that onnxruntime has optimized runs on; absent for formats that it does not run. */
  kernels?(): Kernels;
  /** What the file says of the model as a whole, read when asked for. */
  properties(): ModelProperties;
  /** The operators and values, made when first asked for; empty where the format has none. */
  graph(): ModelGraph;
  /** Calls of functions that the file defines; absent where its format has none. */
  functionCalls?(): number;
  /** What runs it, and what the structure tells about inputs and runs; null where no runtime runs the format. */
  readonly runHints: RunHints | null;
  /**
   * What an export would write, to the byte, without reading a weight.
   * @param statistics of the tensors that were read, by id; mode float16 wants those of every float tensor
   */
  layout(
    plan: Plan,
    mode: ExportMode,
    recipe: Recipe,
    targetName: string,
    statistics: ReadonlyMap<number, Statistics>,
  ): Layout;
  /** Plans what the mode static does; absent where the format has none. */
  planStatic?(asked: WeightPlans, facts: StaticFacts): Plan;
  /**
   * The axes of the channels that operators add up with a weight, by the valueKey of the value, from the end where
   * negative; absent where planStatic is.
   */
  channelAxes?(): ReadonlyMap<string, number>;
  /** Where factors of channels can be moved between stored tensors; absent where planStatic is, and where nothing finds them. */
  equalizables?(): Equalizables;
  /** Note in a copy of the file which factors were moved; absent where equalizables is. @throws what the system says */
  noteEqualization?(copy: string, equalization: Equalization): void;
  /** The factors that were moved before the file was exported; null where none were. Absent where equalizables is. */
  equalization?(): Equalization | null;
  /** The values that calibration observes; absent where withOutputs is. */
  observable?(): Observable;
  /** What stored weights are multiplied with, by tensor; absent where activations are not observed. */
  weightInputs?(): ReadonlyMap<number, WeightInput>;
  /**
   * A copy that gives values as outputs, named by valueKey, or their shapes as int64 tensors whose names end with
   * SHAPE_SUFFIX; absent where no runtime runs the format. Of bodies it gives what `observable` names.
   */
  withOutputs?(values: readonly string[], what: ObservedKind): Layout;
  /** Values that are rounded to codes between operators; absent where these are not told apart from weights. */
  activationCodes?(): readonly ActivationCodes[];
  /** A copy without some of those roundings; absent where activationCodes is. */
  withExactActivations?(codes: readonly ActivationCodes[]): Layout;
  /** A copy that rounds values to codes, and stores weights as they are; absent where activationCodes is. */
  withRoundedActivations?(activations: readonly ValuePlan[]): Layout;
  /** A copy that holds parts of the main graph only; absent where no runtime runs the format. */
  withLayers?(layers: readonly LayerCopy[]): Layout;
  close(): void;
}

/** A stored tensor that takes a factor for each channel. */
export interface ScaledTensor {
  readonly tensor: number;
  readonly view: ChannelView;
  /** Whether it is a weight, and not a bias, a norm's scale or a factor. */
  readonly isWeight: boolean;
}

/** Tensors around a value, each of whose channels may be any number of times larger with no other result. */
export interface EqualizablePart {
  /** OperatorRef.id of what makes it. */
  readonly operator: number;
  readonly channels: number;
  /** Those that it is made with: multiplied by a channel's factor. */
  readonly made: readonly ScaledTensor[];
  /** The weights that take it: divided by the factor. */
  readonly taken: readonly ScaledTensor[];
  /** OperatorRef.id of those that have these weights. */
  readonly takers: readonly number[];
  /** The values from there to the weights, by valueKey, with the axes of their channels, from the end where negative. */
  readonly values: readonly (readonly [string, number])[];
}

export interface Equalizables {
  /** In the order of execution. */
  readonly parts: readonly EqualizablePart[];
  /** OperatorRef.id of those with weights of their own whose results have no factors, and why. */
  readonly left: readonly { readonly operator: number; readonly reason: string }[];
}

/** The values of a model that calibration observes, by valueKey. */
export interface Observable {
  /** Of the main graph. */
  readonly values: readonly string[];
  /** Of the bodies of operators. */
  readonly inBodies: readonly ObservedInBody[];
  /** Values that operators on integers might take and that are not observed, and why. */
  readonly skipped: Ranges['skipped'];
}

export interface ObservedInBody {
  readonly name: string;
  /** The graph that has it, which runs it with its other values or not at all. */
  readonly body: string;
  /** How many loops run it: what is observed has an axis more for each. */
  readonly loops: number;
  /** Whether a loop runs an If around it: an iteration that takes the other branch gives it another shape. */
  readonly isConditional: boolean;
}

/** A stored weight as a matrix, and the value whose rows, or whose patches, are multiplied with its rows. */
export interface WeightInput {
  readonly tensor: number;
  /** By valueKey; of bodies only what `observable` names. */
  readonly value: string;
  /** Outputs of the operator, and elements that are summed for each. */
  readonly rows: number;
  readonly columns: number;
  /** Groups of a Conv: each has so many columns of its own, and its share of the rows; 1 of other operators. */
  readonly groups: number;
  /** Whether the tensor has an output's elements in a column; in a row otherwise. */
  readonly isColumns: boolean;
  /** How a Conv takes patches of the value; null where the value's last axis is what is summed. */
  readonly patches: Patches | null;
}

/** The attributes of a Conv that say which elements of its input are summed, as ONNX has them. */
export interface Patches {
  /** Whether channels are the last axis of the input and of a filter, as in LiteRT, and not the one before the sizes. */
  readonly isChannelsLast?: true;
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly pads: readonly number[];
  readonly autoPad: string;
}

/** What a copy gives of values: themselves, with floats in place of codes, or their shapes. */
export type ObservedKind = 'values' | 'floats' | 'shapes';

/** A value that is rounded to codes of one scale, and taken as what they stand for. */
export interface ActivationCodes {
  /** OperatorRef.id of what restores it. */
  readonly operator: number;
  /** ValueRef.id of what is rounded, and of what it becomes. */
  readonly exact: number;
  readonly restored: number;
  readonly scale: number;
  readonly zeroPoint: number;
  readonly dtype: ActivationDtype;
}

/** A part of a model's main graph that a copy computes by itself. */
export interface LayerCopy {
  /** What stands before the names of its values in the copy. */
  readonly prefix: string;
  /** OperatorRef.id, in the order of execution. */
  readonly operators: readonly number[];
  /** Values that are given to it, of the types in which its operators take them. */
  readonly inputs: readonly { readonly name: string; readonly dtype: DtypeName }[];
  readonly outputs: readonly string[];
}

/** One scale and zero point for the tensor, or for each channel. */
export interface WeightParameters {
  readonly scale: readonly number[];
  readonly zeroPoint: readonly number[];
}

/** How an operator adds up what the codes of its weight stand for. */
export interface WeightSums extends SumsOfWeight {
  readonly operator: number;
  readonly tensor: number;
  readonly scheme: Scheme;
}

/** What the weights and calibration of a model tell of a plan for static quantization. */
export interface StaticFacts {
  readonly recipe: Recipe;
  /**
   * The range that a scheme's method chooses of what was observed of a value; why there is none.
   * @param part what values beyond it make no difference of; without it all count
   */
  rangeOf(
    value: number,
    scheme: ActivationScheme,
    part?: ChosenRange,
  ): ChosenRange | { readonly missing: string };
  /** What the values of a stored tensor give under a scheme; null while that is not known. */
  parametersOf(tensor: number, scheme: Scheme): WeightParameters | null;
  /** What was observed of a value's channels; null where nothing was. */
  channelsOf(value: number): ObservedChannels | null;
  /** What weightExcess gives; null while that is not known. */
  excessOf(sums: WeightSums): readonly number[] | null;
  /** The values of a small stored tensor. */
  numbersOf(tensor: number): readonly number[];
}

/** What the name of a value's shape ends with, in copies that give shapes. */
export const SHAPE_SUFFIX = '/quantscope.shape';

/** How one file format is recognised and opened. */
export interface FormatAdapter extends FormatFacts {
  /** Whether its reader tells what is wrong with a file of its extension, whatever is in it. */
  readonly explains?: boolean;
  /** Whether its match is a guess, there being no magic number: a name of a format that explains outweighs it. */
  readonly guesses?: boolean;
  /** Whether its models are what exports are made from: in a folder they come before models of other formats. */
  readonly isCheckpoint?: boolean;
  /** Cheap: looks at the first bytes and the size only. */
  match(head: Uint8Array, size: number): boolean;
  /** Of the names of a folder's files, those that are models of this format: several when it is not clear which one to open. */
  inFolder(names: readonly string[]): readonly string[];
  /** Takes the source over: closes it when it fails, and with the model. */
  open(source: FileSource): OpenedModel;
}
