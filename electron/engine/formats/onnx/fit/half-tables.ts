/**
 * Which operators may leave float16's range, and where a value comes back into it: the tables that
 * half-ranges.ts follows. Tools that convert graphs to float16 (onnxconverter-common's and
 * onnxruntime.transformers' DEFAULT_OP_BLOCK_LIST, half-plan.ts has its operators) replace constants
 * below 1e-7 by 1e-7 and those above 1e4 by 1e4, and know no ranges of intermediate values.
 */

/** The largest float16. */
export const HALF_LARGEST = 65504;

/** The smallest float16 with full precision. What guards a division or logarithm must not be below it. */
export const HALF_SMALLEST_NORMAL = 2 ** -14;

/** A factor from which values of ordinary size (up to 32) leave float16's range; its reciprocal brings them back. */
export const LARGE_FACTOR = 2 ** 11;

/**
 * How far float32 arithmetic goes on from a value. 0: the value fits in float16. 1: up to the next
 * operator that sums products. 2: through one of these, as from a power spectrum through mel filters.
 * Both end where the range is bounded again.
 */
export type Reach = 0 | 1 | 2;

/** Operators whose own result or inner sum may exceed float16's range, whatever they take. */
export const WIDE: ReadonlyMap<string, { readonly reach: Reach; readonly reason: string }> =
  new Map([
    ['Exp', { reach: 2, reason: 'Exp exceeds 65504 from 11.1 on' }],
    ['Sinh', { reach: 2, reason: 'Sinh exceeds 65504 from 11.8 on' }],
    ['Cosh', { reach: 2, reason: 'Cosh exceeds 65504 from 11.8 on' }],
    ['Softplus', { reach: 0, reason: 'the exponential in Softplus exceeds 65504 from 11.1 on' }],
    ['ReduceLogSumExp', { reach: 0, reason: 'a sum of exponentials may exceed 65504' }],
    ['ReduceLogSum', { reach: 0, reason: 'a sum over an axis may exceed 65504' }],
    ['ReduceSumSquare', { reach: 2, reason: 'a sum of squares may exceed 65504' }],
    ['ReduceL2', { reach: 1, reason: 'a sum of squares may exceed 65504' }],
    ['LpNormalization', { reach: 0, reason: 'a sum of squares may exceed 65504' }],
    ['LpPool', { reach: 0, reason: 'a sum of powers may exceed 65504' }],
    ['GlobalLpPool', { reach: 0, reason: 'a sum of powers may exceed 65504' }],
    ['LRN', { reach: 0, reason: 'a sum of squares may exceed 65504' }],
    ['ReduceSum', { reach: 1, reason: 'a sum over an axis may exceed 65504' }],
    ['ReduceL1', { reach: 1, reason: 'a sum over an axis may exceed 65504' }],
    ['CumSum', { reach: 1, reason: 'a sum over an axis may exceed 65504' }],
    ['ReduceProd', { reach: 2, reason: 'a product over an axis may exceed 65504' }],
    ['CumProd', { reach: 2, reason: 'a product over an axis may exceed 65504' }],
    ['Det', { reach: 2, reason: 'a determinant may exceed 65504' }],
    ['DFT', { reach: 1, reason: 'a sum over an axis may exceed 65504' }],
    ['STFT', { reach: 1, reason: 'a sum over an axis may exceed 65504' }],
  ]);

export const REASONS = {
  power: 'a power may exceed 65504',
  square: 'squares exceed 65504 from 256 on',
  argument: 'an error of float16 in its result would grow in the operator that takes it',
} as const;

/** Operators whose result is bounded, or of the order of a logarithm, whatever they take. */
export const BOUNDING: ReadonlySet<string> = new Set([
  'Acos',
  'Acosh',
  'Asin',
  'Asinh',
  'Atan',
  'BatchNormalization',
  'Cos',
  'Erf',
  'GroupNormalization',
  'HardSigmoid',
  'Hardmax',
  'InstanceNormalization',
  'LRN',
  'LayerNormalization',
  'Log',
  'LogSoftmax',
  'LpNormalization',
  'MeanVarianceNormalization',
  'RMSNormalization',
  'ReduceLogSum',
  'ReduceLogSumExp',
  'Sigmoid',
  'Sign',
  'Sin',
  'Softmax',
  'Softsign',
  'Tanh',
]);

/** Operators that sum products, with a weight mostly: the arithmetic that float16 is for. */
export const SUMMING: ReadonlySet<string> = new Set([
  'Attention',
  'Conv',
  'ConvTranspose',
  'DeformConv',
  'Einsum',
  'GRU',
  'Gemm',
  'LSTM',
  'MatMul',
  'RNN',
]);

/** Operators that only move the elements of their first input. */
export const MOVING: ReadonlySet<string> = new Set([
  'Cast',
  'Expand',
  'Flatten',
  'Gather',
  'Identity',
  'Reshape',
  'Slice',
  'Squeeze',
  'Tile',
  'Transpose',
  'Trilu',
  'Unsqueeze',
]);

/** Operators in which a constant keeps a value away from 0. */
export const GUARDING: ReadonlySet<string> = new Set(['Add', 'Max', 'Min', 'Sub', 'Sum', 'Where']);

/** Operators for which a rounded argument is a large error: before these, what else only they take is kept too. */
export const SENSITIVE: ReadonlySet<string> = new Set(['Cos', 'Log', 'Sin']);

/** Operators whose small results a logarithm makes large ones of: float16 makes those below 6e-8 zero. */
export const PROBABILITIES: ReadonlySet<string> = new Set(['Sigmoid', 'Softmax']);

/** Operators that take the mean away before deviations are squared. */
export const CENTRING: ReadonlySet<string> = new Set(['ReduceMean', 'Sub']);

/** Operators that a small constant guards, and the input at which they take what must not be 0. */
export const GUARDED: ReadonlyMap<string, number> = new Map([
  ['Div', 1],
  ['Log', 0],
  ['Pow', 0],
  ['Reciprocal', 0],
  ['Sqrt', 0],
]);
