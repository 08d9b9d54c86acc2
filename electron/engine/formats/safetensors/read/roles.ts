import { dtypeOf, type DtypeName } from '../../../../../shared/dtypes.ts';
import type { Role } from '../../../../../shared/model.ts';

/** What a tensor's name and shape tell of it. A checkpoint stores no graph: its module names are all there is. */
export interface Described {
  /** The path of its module. */
  readonly layer: string;
  /** The module in PyTorch's words, as near as names and shapes tell. */
  readonly op: string;
  readonly role: Role;
  readonly axis: number | null;
}

type Named = {
  readonly name: string;
  readonly dtype: DtypeName;
  readonly shape: readonly number[];
};

/** Modules whose weight is a table that is looked up, and which have no bias. */
const TABLES =
  /^embed_(?!out|proj|linear|dense)|(?:^|_)(?:embed|embeds|embedding|embeddings|emb|wte|wpe|shared|tokens?|relative_attention_bias)$/i;

/** Parameters of their own that are added to, or stand among, embedded tokens. */
const TOKENS =
  /embed|_token$|^(?:cls|mask|pos|dist|class)_?(?:token|emb)|^rel_pos|position_bias_table$/i;

/** Parameters that weigh a product though they are no module's `weight`. */
const PRODUCTS =
  /weight|proj|kernel|expert|(?:^|_)w\d*$|^lora_(?:embedding_)?(?:[AB]|up|down)$|^(?:hada|lokr)_w\d(?:_[ab])?$|^[UV]$/i;

/** XLNet's attention: [d_model, n_head, d_head], of which `o` alone has its products summed over heads. */
const XLNET = /(?:^|\.)rel_attn$/;

const NORMS = /norm|(?:^|_)(?:ln|bn|gn)(?:_?\w{0,2})$/i;

const TRANSPOSED = /deconv|transpose|upconv|convtr/i;

/** transformers' Conv1D, GPT-2's linear layer, stores [in, out]; these names are its modules'. */
const CONV1D = /^(?:c_attn|c_fc|c_proj|q_attn)$/;

/** Describe all tensors of a model, in their order. Linear in their number. */
export function describeTensors(tensors: readonly Named[]): Described[] {
  const shapes = new Map(
    tensors.map(({ name, shape }) => {
      const { layer, last } = split(name);
      return [`${layer}.${last}`, shape];
    }),
  );
  const hasConv1D = tensors.some(({ name, shape: [rows, columns] }) => {
    const { layer, last } = split(name);
    // These two widen: what has more columns than rows is stored [in, out].
    return last === 'weight' && /(?:^|\.)c_(?:attn|fc)$/.test(layer) && columns! > rows!;
  });
  return tensors.map((tensor) => {
    const { layer, last } = split(tensor.name);
    return { layer, ...slotOf(tensor, layer, last, shapes, hasConv1D) };
  });
}

/** Weight norm's two parts, as torch names them now and before: a direction of the weight's shape, and a gain. */
const WEIGHT_NORM = /^(.+)\.(?:parametrizations\.weight\.original([01]?)|weight_([gv]))$/;

/** A tensor's module, and what it is called in it. */
function split(name: string): { layer: string; last: string } {
  const normed = WEIGHT_NORM.exec(name);
  if (normed !== null) {
    const isDirection = normed[2] === '1' || normed[2] === '' || normed[3] === 'v';
    return { layer: normed[1]!, last: isDirection ? 'weight' : 'weight_g' };
  }
  const dot = name.lastIndexOf('.');
  return dot < 0
    ? { layer: name, last: name }
    : { layer: name.slice(0, dot), last: name.slice(dot + 1) };
}

/** The last part of a path that is no number: modules of a list have numbers for names, and the list's says more. */
function moduleName(layer: string): string {
  let end = layer.length;
  let start = layer.lastIndexOf('.') + 1;
  while (start > 0 && /^\d+$/.test(layer.slice(start, end))) {
    end = start - 1;
    // lastIndexOf takes a negative place as 0.
    start = end === 0 ? 0 : layer.lastIndexOf('.', end - 1) + 1;
  }
  return layer.slice(start, end);
}

type Slot = Omit<Described, 'layer'>;

function slot(op: string, role: Role, axis: number | null = null): Slot {
  return { op, role, axis };
}

function slotOf(
  { dtype, shape }: Named,
  layer: string,
  last: string,
  shapes: ReadonlyMap<string, readonly number[]>,
  hasConv1D: boolean,
): Slot {
  if (dtypeOf(dtype).kind !== 'float') return slot('Buffer', 'constant');
  const module = moduleName(layer);
  const weight = shapes.get(`${layer}.weight`);
  if (last === 'running_mean' || last === 'running_var') return slot('BatchNorm', 'norm');
  if (/^weight_(?:ih|hh|hr)_l\d+/.test(last))
    return slot(recurrentOp(layer, last, shapes), 'weight', 0);
  if (/^bias_(?:ih|hh)_l\d+/.test(last))
    return slot(recurrentOp(layer, last.replace('bias', 'weight'), shapes), 'bias');
  if (last === 'weight_g') return slot('WeightNorm', 'norm');
  if (shape.length <= 1) return vectorSlot(module, last, weight, { layer, shapes, hasConv1D });
  if (XLNET.test(layer) && shape.length === 3 && /^[qkvor]$/.test(last))
    return slot('Parameter', 'weight', last === 'o' ? 0 : 1);
  // A stack of experts' matrices, [experts, out, in], not a convolution.
  if (last === 'weight' && shape.length === 3 && /expert|moe/i.test(layer))
    return slot('Parameter', 'weight', 0);
  if (last === 'weight') return matrixSlot(module, shape, shapes.get(`${layer}.bias`), hasConv1D);
  if (last === 'in_proj_weight') return slot('MultiheadAttention', 'weight', 0);
  if (TOKENS.test(last)) return slot('Embedding', 'embedding', shape.length === 2 ? 0 : null);
  // A bias of more axes is a parameter of its own, such as a table of positions.
  if (/bias$/.test(last)) return slot('Parameter', 'bias');
  // A stack of matrices, such as one for each expert, has its scales matrix by matrix.
  if (PRODUCTS.test(last)) return slot('Parameter', 'weight', shape.length <= 3 ? 0 : null);
  return slot('Parameter', 'other');
}

/** A scalar or vector: a bias, a norm's, or a parameter that nothing tells of. */
function vectorSlot(
  module: string,
  last: string,
  weight: readonly number[] | undefined,
  context: {
    readonly layer: string;
    readonly shapes: ReadonlyMap<string, readonly number[]>;
    readonly hasConv1D: boolean;
  },
): Slot {
  const { layer, shapes, hasConv1D } = context;
  if (/^(?:weight|gamma|g|scale)$/.test(last)) return slot(normOp(layer, module, shapes), 'norm');
  if (/bias$|^beta$|^b$/.test(last)) {
    if (weight !== undefined && weight.length > 1)
      return slot(matrixSlot(module, weight, shapes.get(`${layer}.bias`), hasConv1D).op, 'bias');
    const isNorm = weight !== undefined || shapes.has(`${layer}.gamma`) || NORMS.test(module);
    return isNorm ? slot(normOp(layer, module, shapes), 'norm') : slot('Parameter', 'bias');
  }
  if (TOKENS.test(last)) return slot('Embedding', 'embedding');
  return slot('Parameter', 'other');
}

/** A norm without a bias is an RMSNorm as models are made today; one with running sums a BatchNorm. */
function normOp(
  layer: string,
  module: string,
  shapes: ReadonlyMap<string, readonly number[]>,
): string {
  if (shapes.has(`${layer}.running_mean`)) return 'BatchNorm';
  if (/group_?norm|(?:^|_)gn/i.test(module)) return 'GroupNorm';
  return shapes.has(`${layer}.bias`) || shapes.has(`${layer}.beta`) ? 'LayerNorm' : 'RMSNorm';
}

/** A module's `weight` of two axes or more. */
function matrixSlot(
  module: string,
  shape: readonly number[],
  bias: readonly number[] | undefined,
  hasConv1D: boolean,
): Slot {
  if (shape.length === 2) {
    if (bias === undefined && TABLES.test(module)) return slot('Embedding', 'embedding', 0);
    const [rows, columns] = shape;
    const isTurned =
      bias?.length === 1 && rows !== columns
        ? bias[0] === columns
        : hasConv1D && CONV1D.test(module);
    return isTurned ? slot('Conv1D', 'weight', 1) : slot('Linear', 'weight', 0);
  }
  if (shape.length > 5) return slot('Parameter', 'weight');
  // A convolution's weight is [out, in, ...], a transposed one's [in, out, ...] (torch.nn.ConvTranspose2d).
  const dimensions = `${shape.length - 2}d`;
  const isTransposed =
    bias?.length === 1 && shape[0] !== shape[1]
      ? bias[0] === shape[1] && bias[0] !== shape[0]
      : TRANSPOSED.test(module);
  return isTransposed
    ? slot(`ConvTranspose${dimensions}`, 'weight', 1)
    : slot(`Conv${dimensions}`, 'weight', 0);
}

/** torch.nn.LSTM stacks four gates in a weight's rows, GRU three, RNN one. */
function recurrentOp(
  layer: string,
  last: string,
  shapes: ReadonlyMap<string, readonly number[]>,
): string {
  const hidden = shapes.get(`${layer}.${last.replace(/_(?:ih|hr)_/, '_hh_')}`);
  const gates = (hidden?.[0] ?? 0) / (hidden?.[1] ?? 1);
  return gates === 4 ? 'LSTM' : gates === 3 ? 'GRU' : 'RNN';
}
