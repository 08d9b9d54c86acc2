import { dtypeOf } from '../../../../../shared/dtypes.ts';
import type { HeaderTensor } from './read-header.ts';
import {
  bitsIn,
  product,
  smallValues,
  type Context,
  type Find,
  type ReadValues,
} from './stored-bits.ts';
import { LAYOUTS, OF_MODULE, type StoredLayout } from './stored-layouts.ts';

/** Names that only quantizers give: kept whole even where the codes are in a file that is not open. */
const SCALES =
  /(?:^|[._])(?:weight_scale(?:_inv|_2)?|weight_global_scale|scale_weight|absmax|quant_map|SCB)$/;

/** Scales of activations, which belong to no tensor of codes by name. */
const ACTIVATION_SCALES =
  /(?:^|[._])(?:(?:input|output|act|activation|[kvq]|kv|prob|[kv]_cache)_(?:global_)?scale(?:_inv|_2|_ub)?|scale_input|pre_quant_scale|scaled_fp8)$/;

/** What a tensor of a quantized weight is. */
export interface StoredPart {
  /** The layout's name. */
  readonly layout: string;
  /** The codes themselves, or null for a scale whose codes are not known. */
  readonly codes: HeaderTensor | null;
  /** The name of the weight that the codes are of. */
  readonly weight: string;
  /** How many weights the codes are of; null where it is not known. */
  readonly values: number | null;
  readonly scale: {
    readonly of: HeaderTensor;
    readonly axis: number | null;
    readonly divisor: number;
  } | null;
}

/**
 * Recognise the weights of a checkpoint that are quantized already, by the names and types of the
 * tensors beside their codes. Linear in the number of tensors.
 * @returns for the name of every tensor that belongs to such a weight, what it is
 */
export function storedParts(
  tensors: readonly HeaderTensor[],
  read: ReadValues,
): Map<string, StoredPart> {
  const byName = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  const parts = new Map<string, StoredPart>();
  for (const codes of tensors) {
    const found = partOf(codes, byName, read);
    if (found === null) continue;
    parts.set(codes.name, found.part);
    for (const name of found.companions)
      if (!parts.has(name)) parts.set(name, { ...found.part, values: null });
  }
  const layout = [...parts.values()][0]?.layout ?? null;
  for (const { name } of tensors) {
    const isScale = SCALES.test(name) || (layout !== null && ACTIVATION_SCALES.test(name));
    if (!isScale || parts.has(name)) continue;
    const shown = layout ?? 'codes in another file';
    parts.set(name, { layout: shown, codes: null, weight: name, values: null, scale: null });
  }
  return parts;
}

function partOf(
  codes: HeaderTensor,
  byName: ReadonlyMap<string, HeaderTensor>,
  read: ReadValues,
): { readonly part: StoredPart; readonly companions: readonly string[] } | null {
  for (const layout of LAYOUTS) {
    if (layout.dtypes?.includes(codes.dtype) === false) continue;
    const stem = layout.codes.exec(codes.name)?.[1];
    if (stem === undefined) continue;
    const named = (template: string): string =>
      template.startsWith('$') ? codes.name + template.slice(1) : stem + template.slice(1);
    const find: Find = (template) => byName.get(named(template));
    const context = { codes, find, read };
    const fits = layout.needs.every((need) => find(need) !== undefined);
    if (!fits || layout.fits?.(context) === false) continue;
    const module = stem.replace(/\.weight$/, '');
    const companions = [
      ...[...layout.needs, ...(layout.keeps ?? [])].map(named),
      ...OF_MODULE.map((template) => module + template.slice(1)),
    ].filter((name) => byName.has(name) && name !== codes.name);
    return { part: describe(layout, context, weightName(stem, codes.name)), companions };
  }
  return null;
}

function describe(layout: StoredLayout, context: Context, weight: string): StoredPart {
  const { codes, find } = context;
  const own = dtypeOf(codes.dtype).bits;
  const bits = typeof layout.bits === 'function' ? layout.bits(context) : (layout.bits ?? own);
  const values = bits === null ? null : valuesOf(context, bits);
  const scale = layout.scale === undefined ? undefined : find(layout.scale.of);
  const isSimple = scale !== undefined && values === codes.elements && /^b?float/.test(scale.dtype);
  const axis = layout.scale?.axis ?? 0;
  const perChannel = isSimple && scale.elements === codes.shape[axis];
  return {
    layout: layout.name,
    codes,
    weight,
    values,
    scale:
      isSimple && (perChannel || scale.elements === 1)
        ? { of: scale, axis: scale.elements === 1 ? null : axis, divisor: layout.scale!.divisor }
        : null,
  };
}

/** The weight's own count where its shape is stored beside it, else as many codes as the bytes have room for. */
function valuesOf({ codes, find, read }: Context, bits: number): number {
  const room = Math.floor(bitsIn(codes) / bits);
  for (const template of ['@_shape', '@.shape']) {
    const count = product(smallValues(find(template), read) ?? []);
    if (count > 1 && count <= room) return count;
  }
  return room;
}

/** The name that the weight has before it is quantized, which tells its role. */
function weightName(stem: string, codes: string): string {
  const name = stem.replace(/\._weight$/, '.weight');
  return codes.startsWith(`${stem}.`) && !/weight$/.test(name) ? `${name}.weight` : name;
}
