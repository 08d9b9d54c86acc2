import * as fs from 'node:fs';
import { dtypeOf } from '../../../shared/dtypes.ts';
import { float16Bits } from '../../../shared/float16.ts';
import { storageDtype } from '../../../shared/scheme.ts';
import { packerOf } from '../quantize/packing.ts';
import type { CodeSink, Passes } from '../quantize/passes.ts';
import type { FloatCast } from '../../../shared/scheme.ts';
import {
  quantizeTensor,
  type QuantizeInput,
  type QuantizeResult,
} from '../quantize/quantize-tensor.ts';
import { ioError } from '../../../shared/errors.ts';
import {
  ColumnCodes,
  columnBytes,
  columnScales,
  columnZeroPoints,
  type NBitsShape,
} from './nbits-layout.ts';
import { writeFully } from '../../files/write-fully.ts';
import type { CodeLayout } from './layout.ts';
import type { EncodePlace } from './write-model.ts';

type PartPlace = NonNullable<EncodePlace['codes']>;

/** Columns of MatMulNBits are turned over this many bytes at a time, with a pass over the values for each. */
const TURN_BYTES = 64 << 20;

/** Quantize one tensor into its places in files that exist already. */
export function encodeTensor(input: QuantizeInput, layout: CodeLayout, place: EncodePlace): void {
  const codes = codesPlace(place);
  if (layout === 'nbits') encodeColumns(input, codes, place);
  else encodePlain(input, layout, codes, place);
}

/** Cast one tensor into its place: one pass over its values, as a cast has no scales to find before. */
export function castTensor(passes: Passes, dtype: FloatCast, place: EncodePlace): void {
  const codes = codesPlace(place);
  withTarget(codes.path, (fd) => passes.cast(dtype, sinkTo(fd, codes)));
}

function codesPlace({ codes }: EncodePlace): PartPlace {
  if (codes === undefined) throw new RangeError('a tensor without a place for its codes');
  return codes;
}

/** Takes a tensor's codes in order. */
function sinkTo(fd: number, { path, offset }: PartPlace): CodeSink {
  let at = offset;
  return (bytes) => {
    writeFully(fd, bytes, at, path);
    at += bytes.length;
  };
}

function encodePlain(
  input: QuantizeInput,
  layout: CodeLayout,
  codes: PartPlace,
  place: EncodePlace,
): void {
  const result = withTarget(codes.path, (fd) =>
    quantizeTensor({ ...input, sink: sinkTo(fd, codes) }),
  );
  writePart(place.scale, () => scaleBytes(input, result.scale));
  writePart(place.zeroPoint, () => {
    if (layout === 'litert') {
      const wide = BigInt64Array.from(result.zeroPoint, BigInt);
      return new Uint8Array(wide.buffer);
    }
    const packer = packerOf(dtypeOf(storageDtype(input.scheme.dtype)).bits);
    return Buffer.concat([packer.push(Int32Array.from(result.zeroPoint)), packer.end()]);
  });
}

function encodeColumns(input: QuantizeInput, codes: PartPlace, place: EncodePlace): void {
  const shape = nbitsShape(input);
  const bias = input.scheme.dtype.startsWith('int') ? 2 ** (shape.bits - 1) : 0;
  const width = columnBytes(shape);
  const step = Math.max(1, Math.floor(TURN_BYTES / width));
  let result: QuantizeResult | undefined;
  withTarget(codes.path, (fd) => {
    for (let from = 0; from < shape.n; from += step) {
      const columns = new ColumnCodes(shape, from, Math.min(shape.n, from + step), bias);
      result = quantizeTensor({ ...input, sink: (bytes) => columns.push(bytes) });
      writeFully(fd, columns.bytes, codes.offset + from * width, codes.path);
    }
  });
  const { scale = [], zeroPoint = [] } = result ?? {};
  writePart(place.scale, () => scaleBytes(input, columnScales(shape, scale)));
  writePart(place.zeroPoint, () => columnZeroPoints(shape, zeroPoint, bias));
}

function nbitsShape({ shape, axis, scheme }: QuantizeInput): NBitsShape {
  if (shape.length !== 2 || axis === null || scheme.kind !== 'block')
    throw new RangeError('MatMulNBits takes a matrix in blocks');
  const [n, k] = [shape[axis]!, shape[1 - axis]!];
  const bits = scheme.dtype.endsWith('int4') ? 4 : 8;
  return { k, n, block: scheme.block, bits, isTransposed: axis === 0 };
}

function writePart(place: EncodePlace['scale'], bytes: () => Uint8Array): void {
  if (place === undefined) return;
  withTarget(place.path, (fd) => writeFully(fd, bytes(), place.offset, place.path));
}

/** Write to a file that exists already. */
function withTarget<T>(file: string, work: (fd: number) => T): T {
  let fd: number;
  try {
    fd = fs.openSync(file, 'r+');
  } catch (error) {
    throw ioError('cannot be written', file, error);
  }
  try {
    return work(fd);
  } finally {
    fs.closeSync(fd);
  }
}

/** Scales in the type that they are stored in, to which the scheme has rounded them. */
function scaleBytes({ scheme }: QuantizeInput, scales: ArrayLike<number>): Uint8Array {
  const stored =
    scheme.scaleDtype === 'float16'
      ? Uint16Array.from(scales, float16Bits)
      : Float32Array.from(scales);
  return new Uint8Array(stored.buffer);
}
