import { AppError } from '../../../../../shared/errors.ts';
import type { FileSource } from '../../../source.ts';
import { forEachRun, type StoredBytes } from '../../../tensor-bytes.ts';
import type { SparseRecord } from './records.ts';

/** What is wrong with a sparse tensor: of its indices, one by its position. */
type Problem = (what: string, found: string, expected: string) => AppError;

/**
 * Hold a sparse tensor's indices against its shape, as onnx.checker's check_sparse_tensor does: one
 * int64 for each value counting through the dense tensor, or one for each axis; each in range and
 * above the one before. They are read in runs of bounded size.
 * @throws AppError MALFORMED naming the tensor, the index, what was found and what was expected.
 */
export function checkSparseIndices(
  files: readonly FileSource[],
  { values, indices, dims }: SparseRecord,
  place: StoredBytes,
): void {
  const problem: Problem = (what, found, expected) =>
    new AppError('MALFORMED', what, { file: files[0]?.path, field: place.name, found, expected });
  const count = values.dims[0];
  if (values.dims.length !== 1 || count === undefined)
    throw problem('the values of a sparse tensor need one axis', shapeOf(values.dims), '[values]');
  if (place.dtype !== 'int64')
    throw problem('the indices of a sparse tensor must be int64', place.dtype, 'int64');
  const { length } = dims;
  const [rows, width = null] = indices.dims;
  const isLinear = indices.dims.length === 1 && rows === count;
  if (!isLinear && !(indices.dims.length === 2 && rows === count && width === length))
    throw problem(
      'a sparse tensor needs an index for each of its values',
      `indices of shape ${shapeOf(indices.dims)}`,
      `[${count}] or [${count}, ${length}]`,
    );
  if (count === 0) return;
  const limits = isLinear ? [dims.reduce((product, dim) => product * dim, 1)] : dims;
  checkOrder(files, place, limits, problem);
}

function checkOrder(
  files: readonly FileSource[],
  place: StoredBytes,
  limits: readonly number[],
  problem: Problem,
): void {
  const before = new Array<number>(limits.length).fill(-1);
  let [at, isAbove] = [0, false];
  forEachRun(files, place, (bytes) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let byte = 0; byte < bytes.length; byte += 8, at++) {
      const axis = at % limits.length;
      const index = Number(view.getBigInt64(byte, true));
      const [where, limit] = [Math.floor(at / limits.length), limits[axis]!];
      if (index < 0 || index >= limit)
        throw problem(
          `index ${where} of a sparse tensor is out of range`,
          String(index),
          `0 to ${limit - 1}`,
        );
      if (axis === 0) isAbove = false;
      const isLast = axis === limits.length - 1;
      if (!isAbove && (index < before[axis]! || (isLast && index === before[axis]!)))
        throw problem(
          `index ${where} of a sparse tensor is not above the one before`,
          String(index),
          `at least ${before[axis]! + (isLast ? 1 : 0)}`,
        );
      isAbove ||= index > before[axis]!;
      before[axis] = index;
    }
  });
}

function shapeOf(dims: readonly number[]): string {
  return `[${dims.join(', ')}]`;
}
