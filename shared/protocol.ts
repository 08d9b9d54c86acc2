import type { ExportMode, ExportPreview, ExportResult } from './exports.ts';
import type { VerifyResult } from './verification.ts';
import type { ActivationDetail, Calibrated, Calibrations, LayerActivation } from './activations.ts';
import type { AnswerKind, BoxOrder, SampleAnswers, TotalAgreement } from './answers.ts';
import type { CalibrationSettings } from './calibration-settings.ts';
import type { Channels } from './channels.ts';
import type { Budget, FilePlan, Goal } from './budget-plan.ts';
import type { Computer } from './computer.ts';
import type { DotProduct } from './dot-product.ts';
import type { ErrorData } from './errors.ts';
import type { FormatFacts, RuntimeName } from './formats.ts';
import type { LayerErrors, LayerPart } from './layer-errors.ts';
import type { Model, TensorRef } from './model.ts';
import type { ModelProperties } from './properties.ts';
import type { WeightPlans } from './plan.ts';
import type { Preparation } from './preparation.ts';
import type { Recipe, Rule } from './recipe.ts';
import type { Preview, SamplesDescription } from './samples.ts';
import type { Scales } from './scales.ts';
import type { LeftInFloat, SensitivityTable } from './sensitivity.ts';
import type { RangeCandidate, Statistics, TensorDetail, TensorFigures, Total } from './report.ts';

/** An opaque name that main gave a path; the page never sees or supplies the path itself. */
export type Handle = string;

export type Side = 'a' | 'b';

/** A tensor as the page sees it: everything but where its bytes are. */
export type TensorSummary = Omit<TensorRef, 'data'> & {
  /** Whether only the prepared copy of the model has it. */
  readonly isMade?: true;
};

export interface ModelSummary extends Omit<Model, 'files' | 'tensors'> {
  /** What people call the format. */
  readonly formatName: string;
  /** The file's base name, for display. */
  readonly file: string;
  readonly fileBytes: number;
  /** What an export's file name ends with. */
  readonly extension: string;
  /** The export modes there are, the first of them the default. */
  readonly modes: readonly ExportMode[];
  /** What runs it, and an export beside it; null where nothing here does. */
  readonly runtime: RuntimeName | null;
  readonly tensors: readonly TensorSummary[];
  /** Whether codes of its weights can be chosen on samples. */
  readonly takesMoments: boolean;
  /** What its prepared copy changes, once a page has asked for it: `tensors` ends with those that only the copy has. */
  readonly preparation?: Preparation | null;
  /** What plans go by, where a model that is open already was calibrated. */
  readonly calibrated?: Calibrations;
}

/** What models are run on. */
export interface RunInputs {
  readonly samples: number;
  readonly seed: number;
  /** A folder of samples; null makes random ones. */
  readonly inputs: Handle | null;
  /** How pictures and sounds of the folder become inputs; what is left out is guessed. */
  readonly calibration?: CalibrationSettings | undefined;
}

/** Whose outputs are kept to be shown: those of a recipe's side, or of a file. */
export type AnswerSlot = Side | 'file';

/** What a person chose to show an output as; null is a guess. */
export interface ShownAs {
  readonly output: string;
  readonly kind: AnswerKind | null;
  /** A labels file, a dictionary or a tokenizer; null is what lies beside the model. */
  readonly names: Handle | null;
  readonly order: BoxOrder | null;
}

/** What a model is calibrated on. */
export interface SampleInputs {
  /** A folder of samples, or files; null draws random ones. */
  readonly inputs: readonly Handle[] | null;
  /** How many random samples to draw, or to take of the files at most. */
  readonly samples: number;
  readonly seed: number;
  /** Its calibration settings say how pictures become inputs. */
  readonly recipe: Recipe;
}

/** What the page may ask of the engine, and what it is answered. */
export interface Requests {
  open: { params: { handle: Handle }; reply: ModelSummary };
  close: { params: { handle: Handle }; reply: null };
  /** What the file says of the model as a whole. */
  properties: { params: { handle: Handle }; reply: ModelProperties };
  /**
   * Report every tensor as an export in a mode would store it under a recipe. `first` lists tensors to do before the others (the visible rows).
   * Reports arrive as events while it runs; a new analyze of the same side cancels the one before it.
   */
  analyze: {
    params: {
      handle: Handle;
      side: Side;
      recipe: Recipe;
      mode: ExportMode;
      first: readonly number[];
      /** Whether statistics that the engine has already are told as well: the page has none. */
      withStatistics?: boolean | undefined;
    };
    reply: Total;
  };
  inspect: {
    params: {
      handle: Handle;
      tensor: number;
      a: Recipe;
      b: Recipe | null;
      mode: ExportMode;
      bins: number;
    };
    reply: TensorDetail;
  };
  /** Every scale and zero point of a tensor under a recipe, as typed arrays: inspect sums them up. */
  scales: {
    params: { handle: Handle; tensor: number; recipe: Recipe; mode: ExportMode };
    reply: Scales;
  };
  /**
   * The range of every channel of a tensor, and its SQNR under a recipe, as typed arrays: inspect sums them up.
   * null where the tensor has no channel axis.
   */
  channels: {
    params: { handle: Handle; tensor: number; recipe: Recipe; mode: ExportMode };
    reply: Channels | null;
  };
  /** The ranges that mse and entropy would choose for the whole tensor: a search, so apart from inspect. */
  searchRanges: {
    params: { handle: Handle; tensor: number; recipe: Recipe; mode: ExportMode };
    reply: readonly RangeCandidate[];
  };
  /** What a recipe asks for, before a mode fits it: a page plans by itself where that takes no time. */
  planWeights: { params: { handle: Handle; recipe: Recipe }; reply: WeightPlans };
  /** How many weights each rule would match; null where that takes too long. */
  countMatches: {
    params: { handle: Handle; matches: readonly Rule['match'][] };
    reply: readonly (number | null)[];
  };
  /** What is understood of samples, before the model is run on them. */
  describeSamples: {
    params: { handle: Handle } & SampleInputs;
    reply: { readonly description: SamplesDescription; readonly previews: readonly Preview[] };
  };
  /**
   * Observe samples: for mode static the ranges of activations, and where codes of weights are to be chosen the
   * moments of their inputs.
   */
  calibrate: {
    params: {
      handle: Handle;
      mode: ExportMode;
      choosesCodes: boolean;
      /** The recipe whose range method of activations is chosen by the outputs, where one asks for that. */
      rangeOf?: Recipe | undefined;
      /** Mode static: whether a recipe asks for equalized weights. */
      equalizes?: boolean | undefined;
      /** The recipe that has weights equalized where exports lose less then, where one asks for that. */
      equalizeOf?: Recipe | undefined;
    } & SampleInputs;
    reply: Calibrated;
  };
  /** Plan mode static by the ranges of a file. */
  openRanges: { params: { handle: Handle; file: Handle }; reply: Calibrated };
  /** Write the ranges that mode static plans a recipe by. */
  saveRanges: { params: { handle: Handle; target: Handle; recipe: Recipe }; reply: null };
  /** Make the prepared copy of a model, where there is none, and tell of the tensors that only it has. */
  prepare: {
    params: { handle: Handle };
    reply: { readonly tensors: readonly TensorSummary[]; readonly preparation: Preparation | null };
  };
  /** The outputs of all weights' operators in mode static. */
  activations: {
    params: { handle: Handle; recipe: Recipe };
    reply: readonly LayerActivation[];
  };
  /** All that the inspector shows of the output of one weight's operator in mode static; null where it has none. */
  inspectActivation: {
    params: { handle: Handle; tensor: number; recipe: Recipe; bins: number };
    reply: ActivationDetail | null;
  };
  previewExport: {
    params: { handle: Handle; recipe: Recipe; mode: ExportMode };
    reply: ExportPreview;
  };
  export: {
    params: {
      handle: Handle;
      recipe: Recipe;
      mode: ExportMode;
      target: Handle;
      /** Whether the files that replacedFiles names may be replaced. */
      overwrite: boolean;
      /** Mode static: whether nothing is written where an operator stays in float. */
      integerOnly?: boolean | undefined;
    };
    reply: ExportResult;
  };
  /** Names of the files besides the target that an export would replace. */
  replacedFiles: {
    params: { handle: Handle; recipe: Recipe; mode: ExportMode; target: Handle };
    reply: readonly string[];
  };
  /** Measure what each tensor costs under each scheme that a budget chooses from. */
  budget: {
    params: {
      handle: Handle;
      recipe: Recipe;
      mode: ExportMode;
      /** Names of the schemes to choose from; null takes those of the format. */
      candidates: readonly string[] | null;
      /** What the model is run on to count what its outputs lose; null counts the error of its weights. */
      outputs: RunInputs | null;
    };
    reply: { readonly budget: Budget; readonly candidates: readonly string[] };
  };
  /** Solve the budget that was measured last for a goal, so that the exported file meets it. */
  budgetPlan: { params: { handle: Handle; goal: Goal }; reply: FilePlan };
  /** Measure what the outputs lose by each layer under a recipe. */
  sensitivity: {
    params: {
      handle: Handle;
      recipe: Recipe;
      mode: ExportMode;
      inFloat: LeftInFloat;
    } & RunInputs;
    reply: SensitivityTable;
  };
  /**
   * The dot product of two seeded vectors in [-1, 1), or of a tensor's first values and one, before and
   * after a downcast; `length` is at most what the tensor has.
   */
  dotProduct: {
    params: {
      of: { handle: Handle; tensor: number } | null;
      length: number;
      seed: number;
    };
    reply: DotProduct;
  };
  /** What is known of the computer that the engine runs on. */
  computer: { params: null; reply: Computer };
  /** Run the opened model and an exported one on the same inputs. */
  verify: {
    params: { handle: Handle; exported: Handle; keep?: AnswerSlot } & RunInputs;
    reply: VerifyResult;
  };
  /** Export under a recipe to a temporary file, and run that beside the opened model. */
  run: {
    params: {
      handle: Handle;
      recipe: Recipe;
      mode: ExportMode;
      /** Keep the outputs there, in place of what it has. */
      keep?: AnswerSlot;
    } & RunInputs;
    reply: VerifyResult;
  };
  /** The outputs of one sample of a run that was kept, as what they are. */
  answers: {
    params: {
      handle: Handle;
      slot: AnswerSlot;
      sample: number;
      shown: readonly ShownAs[];
    };
    reply: SampleAnswers;
  };
  /** How the outputs agree over all samples that were kept. */
  agreement: {
    params: { handle: Handle; slot: AnswerSlot; shown: readonly ShownAs[] };
    reply: readonly TotalAgreement[];
  };
  /** Measure the error of each layer of an export: of a file, or under a recipe. */
  layerErrors: {
    params: {
      handle: Handle;
      of: { readonly exported: Handle } | { readonly recipe: Recipe; readonly mode: ExportMode };
      /** What of the export is measured alone; null for all of it. */
      only: LayerPart | null;
    } & RunInputs;
    reply: LayerErrors;
  };
  /** What goes on from before the page was loaded: the open file and the running exports. */
  running: {
    params: null;
    reply: {
      readonly open: { readonly handle: Handle; readonly label: string } | null;
      readonly exports: readonly { readonly job: number; readonly label: string }[];
    };
  };
  /** The progress and the result of a running export; to cancel this request cancels the export. */
  follow: { params: { job: number }; reply: ExportResult };
}

export type RequestKind = keyof Requests;

/** Page to engine. `cancel` ends a running request, which then fails with CANCELLED. */
export type ToEngine =
  | {
      [K in RequestKind]: {
        readonly type: 'request';
        readonly id: number;
        readonly kind: K;
        readonly params: Requests[K]['params'];
      };
    }[RequestKind]
  | { readonly type: 'cancel'; readonly id: number };

export interface Progress {
  /** What is being done, e.g. "Reading" or "Writing". */
  readonly what: string;
  /** The tensor at hand. */
  readonly item: string;
  readonly done: number;
  readonly of: number;
  readonly bytesDone: number;
  readonly bytesOf: number;
  /** What `done` and `of` count; layers where it is absent. */
  readonly unit?: string;
  /** How much is done, 0 to 1, where neither bytes nor items tell. */
  readonly fraction?: number;
  /** Measured by whoever does the work; null while it is unknown. Computed from the fraction where it is absent. */
  readonly secondsLeft?: number | null;
}

/** Engine to page. Events carry the id of the request that they belong to. */
export type FromEngine =
  | { readonly type: 'reply'; readonly id: number; readonly result: Requests[RequestKind]['reply'] }
  | { readonly type: 'error'; readonly id: number; readonly error: ErrorData }
  | { readonly type: 'progress'; readonly id: number; readonly progress: Progress }
  | {
      readonly type: 'statistics';
      readonly id: number;
      readonly statistics: readonly { readonly tensor: number; readonly statistics: Statistics }[];
    }
  | { readonly type: 'reports'; readonly id: number; readonly reports: readonly TensorFigures[] }
  | {
      readonly type: 'ready';
      readonly workers: number;
      readonly formats: readonly FormatFacts[];
    };
