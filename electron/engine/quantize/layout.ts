import { blockAxisOf } from '../../../shared/plan.ts';
import type { Granularity } from '../../../shared/scheme.ts';

/** A row-major tensor seen from one axis: flat index = (outer * channels + channel) * inner + j. */
export interface Layout {
  readonly outer: number;
  readonly channels: number;
  readonly inner: number;
}

/** How a shape falls apart around an axis; without an axis, one channel that holds everything. */
export function layoutOf(shape: readonly number[], axis: number | null): Layout {
  const product = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1);
  if (axis === null) return { outer: 1, channels: 1, inner: product(shape) };
  const channels = shape[axis];
  if (channels === undefined)
    throw new RangeError(`axis ${axis} is not one of a tensor of rank ${shape.length}`);
  return { outer: product(shape.slice(0, axis)), channels, inner: product(shape.slice(axis + 1)) };
}

/**
 * Which elements share a scale. Groups are numbered as the scale tensor stores them:
 * one for the tensor; one per channel; or, for blocks of `block` along the axis, row-major in
 * the tensor's shape with ceil(channels / block) on the axis (ONNX opset 21 DequantizeLinear).
 */
export interface Grouping {
  readonly kind: 'tensor' | 'channel' | 'block';
  readonly layout: Layout;
  /** Elements of a block along the axis; 0 for other kinds. */
  readonly block: number;
  readonly groups: number;
}

/**
 * The grouping of a tensor by granularity; without a channel axis, the whole tensor whatever is
 * asked. Blocks run along blockAxisOf.
 */
export function groupingOf(
  shape: readonly number[],
  axis: number | null,
  granularity: Granularity,
): Grouping {
  if (granularity === 'tensor' || axis === null)
    return { kind: 'tensor', layout: layoutOf(shape, null), block: 0, groups: 1 };
  if (granularity === 'channel') {
    const layout = layoutOf(shape, axis);
    return { kind: 'channel', layout, block: 0, groups: layout.channels };
  }
  const layout = layoutOf(shape, blockAxisOf(shape, axis));
  const blocks = Math.ceil(layout.channels / granularity.block);
  const groups = layout.outer * blocks * layout.inner;
  return { kind: 'block', layout, block: granularity.block, groups };
}

/** Elements [from, to) of a chunk, in groups group, group + step, group + 2 step, ... */
export type VisitRun = (from: number, to: number, group: number, step: 0 | 1) => void;

/**
 * Splits the elements [start, start + length) of a tensor into runs whose groups are either one
 * and the same (step 0) or ascend by one with each element (step 1). `from` and `to` count from
 * the chunk's first element.
 */
export function forEachRun(
  grouping: Grouping,
  start: number,
  length: number,
  visit: VisitRun,
): void {
  if (length === 0) return;
  if (grouping.kind === 'tensor') return visit(0, length, 0, 0);
  const { channels, inner } = grouping.layout;
  if (grouping.kind === 'channel' && inner === 1)
    return forEachRow(start, length, channels, (from, to, _, column) => visit(from, to, column, 1));
  if (grouping.kind === 'channel')
    return forEachRow(start, length, inner, (from, to, row) => visit(from, to, row % channels, 0));
  const { block } = grouping;
  const blocks = Math.ceil(channels / block);
  if (inner === 1) return forEachBlock(start, length, channels, block, visit);
  forEachRow(start, length, inner, (from, to, row, column) => {
    const outer = Math.floor(row / channels);
    const along = Math.floor((row % channels) / block);
    visit(from, to, (outer * blocks + along) * inner + column, 1);
  });
}

/** Runs within rows of a given width: from and to in the chunk, the row, and the first column. */
function forEachRow(
  start: number,
  length: number,
  width: number,
  visit: (from: number, to: number, row: number, column: number) => void,
): void {
  let row = Math.floor(start / width);
  let column = start - row * width;
  for (let from = 0; from < length; row++) {
    const to = Math.min(length, from + width - column);
    visit(from, to, row, column);
    from = to;
    column = 0;
  }
}

/** Blocks along the last axis: each row ends with a shorter block where the width asks for it. */
function forEachBlock(
  start: number,
  length: number,
  width: number,
  block: number,
  visit: VisitRun,
): void {
  const blocks = Math.ceil(width / block);
  forEachRow(start, length, width, (rowFrom, rowTo, row, column) => {
    let along = Math.floor(column / block);
    let end = rowFrom + (along + 1) * block - column;
    for (let from = rowFrom; from < rowTo; along++) {
      const to = Math.min(rowTo, end);
      visit(from, to, row * blocks + along, 0);
      from = to;
      end += block;
    }
  });
}
