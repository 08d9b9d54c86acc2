import * as fs from 'node:fs';
import { ioError } from '../../../shared/errors.ts';
import { emptyCodes, type Solution } from './algorithms/algorithm.ts';
import type { IntegerFormat } from './integer-format.ts';
import type { ChosenCodes, Parameters } from './passes.ts';

/** Bytes of a group's scale, float64, and zero point, int32. */
const GROUP_BYTES = 12;

/** Write what an algorithm chose: all scales, all zero points, all codes, as this machine has them in memory. */
export function writeSolution(file: string, { parameters, codes }: Solution): void {
  const { scale, zeroPoint } = parameters;
  try {
    fs.writeFileSync(file, Buffer.concat([scale, zeroPoint, codes].map(bytesOf)));
  } catch (error) {
    throw ioError('cannot be written', file, error);
  }
}

/** What writeSolution wrote for so many groups and elements. @throws AppError IO */
export function readSolution(
  file: string,
  groups: number,
  elements: number,
  format: IntegerFormat,
): { readonly parameters: Parameters; readonly codes: ChosenCodes } {
  let bytes: Buffer;
  try {
    bytes = fs.readFileSync(file);
  } catch (error) {
    throw ioError('cannot be read', file, error);
  }
  if (bytes.length !== groups * GROUP_BYTES + elements)
    throw new RangeError(`${bytes.length} bytes are not of ${groups} groups, ${elements} codes`);
  const scale = new Float64Array(groups);
  const zeroPoint = new Int32Array(groups);
  const codes = emptyCodes(elements, format);
  bytesOf(scale).set(bytes.subarray(0, groups * 8));
  bytesOf(zeroPoint).set(bytes.subarray(groups * 8, groups * GROUP_BYTES));
  bytesOf(codes).set(bytes.subarray(groups * GROUP_BYTES));
  return { parameters: { scale, zeroPoint }, codes };
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
