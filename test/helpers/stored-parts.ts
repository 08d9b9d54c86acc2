import { restoredValue, unclippedCode } from '../../shared/affine.ts';
import { dtypeOf } from '../../shared/dtypes.ts';
import type { TensorRef } from '../../shared/model.ts';
import { granularityOf, storageDtype, type Block, type Scheme } from '../../shared/scheme.ts';
import type { TensorReport } from '../../shared/report.ts';
import { schemeCodes } from '../../shared/scheme-codes.ts';
import { encodeSmallFloat } from '../../shared/small-float.ts';
import { CASTS } from '../../electron/engine/quantize/casts.ts';
import { forEachRun, layoutOf, type Grouping } from '../../electron/engine/quantize/layout.ts';
import type { Session } from '../../electron/engine/session.ts';
import { forEachRun as forEachStoredRun, readNumbers } from '../../electron/engine/tensor-bytes.ts';

/** What a file stores of one quantized tensor: codes in the tensor's order, parameters in the order of its groups. */
export interface StoredParts {
  readonly codes: Int32Array;
  readonly scale: readonly number[];
  readonly zeroPoint: readonly number[];
}

/** A tensor's values, in its order. */
export function valuesOf({ opened }: Session, tensor: TensorRef): Float64Array {
  return Float64Array.from(readNumbers(opened.files, tensor));
}

/** The codes that a report's parameters make of values; the bit patterns of a cast. */
export function codesOfReport(
  values: Float64Array,
  { shape }: TensorRef,
  { scheme, scale, zeroPoint, axis }: TensorReport,
): Int32Array {
  const codes = schemeCodes(scheme!);
  if (scheme!.kind === 'cast') {
    const { format } = CASTS[scheme!.dtype];
    return Int32Array.from(values, (value) => encodeSmallFloat(value, format));
  }
  const { qmin, qmax } = codes!.clip;
  const made = new Int32Array(values.length);
  forEachRun(groupsOf(shape, axis, scheme!, scale.length), 0, made.length, (from, to, at, step) => {
    for (let index = from, group = at; index < to; index++, group += step) {
      const code = unclippedCode(values[index]!, scale[group]!, zeroPoint[group]!, 'even');
      made[index] = Math.min(qmax, Math.max(qmin, code));
    }
  });
  return made;
}

/** The numbers that codes of a tensor stand for, by a report's parameters. */
export function restoredValues(
  codes: Int32Array,
  { shape }: TensorRef,
  { scheme, scale, zeroPoint, axis }: TensorReport,
): Float64Array {
  const restored = new Float64Array(codes.length);
  const groups = groupsOf(shape, axis, scheme!, scale.length);
  forEachRun(groups, 0, codes.length, (from, to, at, step) => {
    for (let index = from, group = at; index < to; index++, group += step)
      restored[index] = restoredValue(codes[index]!, scale[group]!, zeroPoint[group]!);
  });
  return restored;
}

/** Which elements share a scale, by the report's own axis and the number of its scales. */
function groupsOf(
  shape: readonly number[],
  axis: number | null,
  scheme: Scheme,
  groups: number,
): Grouping {
  const layout = layoutOf(shape, axis);
  if (axis === null) return { kind: 'tensor', layout, block: 0, groups };
  const granularity = granularityOf(scheme);
  const block = typeof granularity === 'object' ? granularity.block : 0;
  return { kind: block === 0 ? 'channel' : 'block', layout, block, groups };
}

/** What an exported file stores of a tensor of its source. @throws RangeError where it lacks the codes */
export function storedParts(
  exported: Session,
  { name, shape }: TensorRef,
  { scheme, scale, zeroPoint, axis }: TensorReport,
): StoredParts {
  const find = (...names: string[]): TensorRef | undefined =>
    exported.tensors.find((tensor) => names.includes(tensor.name));
  const stored = storageDtype(scheme!.dtype);
  const codes = find(`${name}_quantized`, `${name}_packed`, `${name}_${stored}`, name);
  if (codes === undefined) throw new RangeError(`${name} is not in the exported file`);
  const [scales, zeros] = [find(`${name}_scale`), find(`${name}_zero_point`)];
  const { files } = exported.opened;
  const inFile = {
    scale: scales === undefined ? (codes.quantization?.scale ?? []) : readNumbers(files, scales),
    zeroPoint:
      zeros === undefined
        ? (codes.quantization?.zeroPoint ?? [])
        : unpacked(bytesOf(exported, zeros), stored, zeroPoint.length),
  };
  const isNbits = codes.consumers.some(({ op }) => op === 'MatMulNBits');
  if (isNbits && scales !== undefined)
    return inTensorOrder(exported, { codes, scales, zeros }, { shape, blockAxis: axis! }, scheme!);
  const elements = shape.reduce((product, size) => product * size, 1);
  return {
    // Biases of LiteRT's operators on int16 have 64 bits.
    codes:
      codes.dtype === 'int64'
        ? Int32Array.from(readNumbers(files, codes))
        : unpacked(bytesOf(exported, codes), stored, elements),
    scale: inFile.scale,
    // Where a file leaves zero points out, they are 0.
    zeroPoint: inFile.zeroPoint.length > 0 ? [...inFile.zeroPoint] : Array.from(scale, () => 0),
  };
}

interface NBitsTensors {
  readonly codes: TensorRef;
  readonly scales: TensorRef;
  readonly zeros: TensorRef | undefined;
}

/** MatMulNBits stores unsigned codes of [K, N], or of a Gemm's [N, K], by columns: scales [N, blocks], zero points in rows of whole bytes. */
function inTensorOrder(
  exported: Session,
  { codes, scales, zeros }: NBitsTensors,
  { shape, blockAxis }: { readonly shape: readonly number[]; readonly blockAxis: number },
  scheme: Scheme,
): StoredParts {
  const [k, n] = [shape[blockAxis]!, shape[1 - blockAxis]!];
  const isTransposed = blockAxis === 1;
  const { dtype } = scheme;
  const unsigned = dtype.endsWith('4') ? 'uint4' : 'uint8';
  const bias = dtype.startsWith('int') ? 2 ** (dtypeOf(dtype).bits - 1) : 0;
  const { block } = scheme as Block;
  const blocks = Math.ceil(k / block);
  const column = blocks * block;
  const packed = unpacked(bytesOf(exported, codes), unsigned, n * column);
  const stored = readNumbers(exported.opened.files, scales);
  const rowOfZeros = unsigned === 'uint4' ? Math.ceil(blocks / 2) * 2 : blocks;
  const storedZeros =
    zeros === undefined ? null : unpacked(bytesOf(exported, zeros), unsigned, n * rowOfZeros);
  const group = Array.from({ length: blocks * n }, (_, at) =>
    isTransposed ? [Math.floor(at / blocks), at % blocks] : [at % n, Math.floor(at / n)],
  );
  return {
    codes: Int32Array.from({ length: k * n }, (_, at) => {
      const [row, col] = isTransposed ? [at % k, Math.floor(at / k)] : [Math.floor(at / n), at % n];
      return packed[col * column + row]! - bias;
    }),
    scale: group.map(([col, at]) => stored[col! * blocks + at!]!),
    // Zero points that are left out are the middle of the unsigned codes, which is 0 of the signed ones.
    zeroPoint: group.map(([col, at]) =>
      storedZeros === null
        ? 2 ** (dtypeOf(unsigned).bits - 1) - bias
        : storedZeros[col! * rowOfZeros + at!]! - bias,
    ),
  };
}

function bytesOf({ opened }: Session, tensor: TensorRef): Uint8Array {
  const runs: Uint8Array[] = [];
  forEachStoredRun(opened.files, tensor, (bytes) => runs.push(Uint8Array.from(bytes)));
  return Buffer.concat(runs);
}

/** Packed codes as integers, the first of two codes of 4 bits in the low nibble; bit patterns of floats. */
function unpacked(bytes: Uint8Array, dtype: string, count: number): Int32Array {
  const bits = dtypeOf(dtype as Scheme['dtype']).bits;
  const unused = dtype.startsWith('int') ? 32 - bits : 0;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const codes = new Int32Array(count);
  for (let at = 0; at < count; at++) {
    const code =
      bits === 4
        ? (bytes[at >> 1]! >> (4 * (at % 2))) & 15
        : bits === 8
          ? bytes[at]!
          : bits === 16
            ? view.getUint16(at * 2, true)
            : view.getInt32(at * 4, true);
    codes[at] = (code << unused) >> unused;
  }
  return codes;
}
