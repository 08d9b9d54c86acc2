import type {
  ActivationDetail,
  Calibrated,
  Calibrations,
  LayerActivation,
  StaticOutline,
} from './activations.ts';
import type { AnswerKind, BoxOrder, SampleAnswers, TotalAgreement } from './answers.ts';
import type { Channels } from './channels.ts';
import type { Budget, FilePlan, Goal } from './budget-plan.ts';
import type { Computer } from './computer.ts';
import type { DotProduct } from './dot-product.ts';
import type { ErrorData } from './errors.ts';
import type { FormatFacts, RuntimeName } from './formats.ts';
import type { LayerErrors } from './layer-errors.ts';
import type { Kernels } from './kernels.ts';
import type { Model, TensorRef } from './model.ts';
import type { ModelProperties } from './properties.ts';
import type { WeightPlans } from './plan.ts';
import type { Recipe, Rule } from './recipe.ts';
import type { Preview, SamplesDescription } from './samples.ts';
import type { Scales } from './scales.ts';
import type {
  KeptGroup,
  RangeCandidate,
  Statistics,
  TensorDetail,
  TensorFigures,
  Total,
} from './report.ts';

/** An opaque name that main gave a path; the page never sees or supplies the path itself. */
export type Handle = string;

export type Side = 'a' | 'b';

/** A tensor as the page sees it: everything but where its bytes are. */
export type TensorSummary = Omit<TensorRef, 'data'>;

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
  /** What plans go by, where a model that is open already was calibrated. */
  readonly calibrated?: Calibrations;
}

export interface ExportResult {
  readonly out: string;
  readonly mode: ExportMode;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  readonly quantized: number;
  readonly kept: number;
  /** Why float tensors were kept, largest first. */
  readonly keptByReason: readonly KeptGroup[];
  /** Weights whose codes the recipe wants chosen on samples and that have the nearest ones: why, largest first. */
  readonly nearest?: readonly KeptGroup[];
  /** Mode static: values between operators that are quantized, and those that stay in float. */
  readonly activations?: { readonly quantized: number; readonly kept: number };
  /** Modes that run operators on codes (dynamic, static, nbits): how many do. */
  readonly integerOperators?: number;
  /** Mode float16: the operators that compute in float32; mode static: those that stay in float. */
  readonly operators?: readonly KeptOperator[];
  /** Mode static of LiteRT. */
  readonly arena?: ArenaSizes;
  readonly seconds: number;
}

/** Bytes of memory that the values between operators take while a model runs. */
export interface ArenaSizes {
  readonly before: number;
  readonly after: number;
}

/** An operator whose arithmetic a mode would change and that stays as it is. */
export interface KeptOperator {
  readonly name: string;
  readonly op: string;
  readonly reason: string;
}

/** What models are run on. */
export interface RunInputs {
  readonly samples: number;
  readonly seed: number;
  /** A folder of samples; null makes random ones. */
  readonly inputs: Handle | null;
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

/** How many values of an output are NaN or infinite, over all samples. */
export interface NonFinite {
  readonly before: number;
  readonly after: number;
  /** NaN where the original gives none. */
  readonly newNaN: number;
  /** Infinite where the original is finite. */
  readonly newInfinity: number;
}

/** What an export gives that its original does not, in words; null where there is nothing. */
export function newNonFinite({ newNaN, newInfinity }: NonFinite): string | null {
  const counts = [
    ...(newNaN > 0 ? [`${newNaN} NaN`] : []),
    ...(newInfinity > 0 ? [`${newInfinity} infinite`] : []),
  ];
  if (counts.length === 0) return null;
  return `${counts.join(' and ')} that the original does not have`;
}

/** How an exported model answers beside its original. */
export interface VerifyResult {
  /** What ran both. */
  readonly runtime: RuntimeName;
  readonly samples: number;
  readonly seed: number;
  readonly outputs: readonly {
    readonly name: string;
    /** Infinity when equal; null when the original is all zero or an output is not finite. */
    readonly sqnrDb: number | null;
    readonly cosine: number | null;
    readonly maxAbsError: number;
    /** Of class scores [samples, classes]: the share of rows whose greatest value is at the same place; null for others. */
    readonly top1Agreement: number | null;
    readonly nonFinite: NonFinite;
    /** The figures say nothing about the export: the output is constant, random, or was not compared. */
    readonly inconclusive: boolean;
    /** What is special about this output, after its name: "is zero in every sample, ..."; null for nothing. */
    readonly note: string | null;
  }[];
  /**
   * The same with the weights alone, where onnxruntime quantizes inputs on its own, which the export does
   * not ask for (MatMulNBits made of DequantizeLinear and MatMul); absent for other exports.
   */
  readonly weightsOnly?: VerifyResult['outputs'];
  /** Samples whose outputs can be shown: see the request answers; absent where none are kept. */
  readonly kept?: number;
  /** The name of the recipe that the export's metadata has; absent where it has none. */
  readonly exportedUnder?: string;
  /** What is special about the runs as a whole, each a sentence. */
  readonly warnings: readonly string[];
  /** What onnxruntime runs the export on; null where its optimized graph cannot be written or read, and for LiteRT. */
  readonly kernels: Kernels | null;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  /** Medians of one run, in milliseconds. */
  readonly msBefore: number;
  readonly msAfter: number;
}

/**
 * qdq: weights only, float arithmetic. dynamic: MatMul, Gemm and Conv on integers, their inputs
 * quantized as they run. static: the same with ranges of activations that calibration found, so that
 * operators hand on codes. float: float types only. float16: the graph computes in float16, between
 * float32 inputs and outputs. nbits: MatMul on weights of 4 or 8 bits in blocks. cast: every float
 * tensor in the recipe's float type, biases and norms too, as a checkpoint's model.to(dtype) makes it.
 */
export const EXPORT_MODES = [
  'qdq',
  'dynamic',
  'static',
  'float',
  'float16',
  'nbits',
  'cast',
] as const;
export type ExportMode = (typeof EXPORT_MODES)[number];

/** What an export would write, known before it is written. */
export interface ExportPreview {
  readonly mode: ExportMode;
  readonly bytesBefore: number;
  /** To the byte, as the export writes it. */
  readonly bytesAfter: number;
  readonly quantized: number;
  /** Tensors that stay as they are, grouped by reason, largest first. */
  readonly kept: readonly KeptGroup[];
  /** ONNX: the version of ai.onnx that the file has; null for other formats. */
  readonly opset: number | null;
  /** ONNX: whether the file has operators of com.microsoft, which only onnxruntime has. */
  readonly usesMicrosoft: boolean;
  /** Mode static: what is quantized between operators, and what stays in float. */
  readonly outline?: StaticOutline;
  /** Mode static of LiteRT. */
  readonly arena?: ArenaSizes;
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
    params: { handle: Handle; mode: ExportMode; choosesCodes: boolean } & SampleInputs;
    reply: Calibrated;
  };
  /** Plan mode static by the ranges of a file. */
  openRanges: { params: { handle: Handle; file: Handle }; reply: Calibrated };
  /** Write the ranges that mode static plans by. */
  saveRanges: { params: { handle: Handle; target: Handle }; reply: null };
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

/** What main must know of the engine's work. */
export interface EngineState {
  /** The files of open models, by device and inode: nothing may be written over them. */
  readonly sources: readonly {
    readonly identity: { readonly dev: string; readonly ino: string };
  }[];
  /** Folders that running exports write to. */
  readonly exporting: readonly string[];
}

/** Engine to main: what it opens, as soon as it runs; its state whenever that changes. */
export type EngineToMain =
  | { readonly type: 'formats'; readonly formats: readonly FormatFacts[] }
  | { readonly type: 'state'; readonly state: EngineState }
  /** Start a process of onnxruntime, send it a message, or kill it. */
  | { readonly type: 'runtime-start'; readonly id: number }
  | { readonly type: 'runtime-post'; readonly id: number; readonly message: unknown }
  | { readonly type: 'runtime-kill'; readonly id: number };

/** Main to engine, over the utility process's own port. Ports for pages come with `connect`. */
export type MainToEngine =
  | { readonly type: 'connect' }
  | { readonly type: 'runtime-message'; readonly id: number; readonly message: unknown }
  /** It ended by itself; `said` is the end of its standard error. */
  | {
      readonly type: 'runtime-ended';
      readonly id: number;
      readonly code: number;
      readonly said: string;
    }
  /** Put folders in order in which an export was killed. */
  | { readonly type: 'recover'; readonly folders: readonly string[] }
  | { readonly type: 'cancel-exports' }
  | {
      readonly type: 'grant';
      readonly handle: Handle;
      readonly path: string;
      readonly use: 'read' | 'write';
    };
