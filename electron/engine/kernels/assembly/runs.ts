// Which elements share a scale: the layout of quantize/layout.ts.
// Reference implementation: forEachRun there.

export const TENSOR: i32 = 0;
export const CHANNEL: i32 = 1;
export const BLOCK: i32 = 2;

let kind: i32 = TENSOR;
let channels: i64 = 1;
let inner: i64 = 1;
let block: i64 = 1;

/** Groups are numbered from this one on; runs of groups outside [0, limit) are left out. */
let firstGroup: i64 = 0;
let limit: i64 = 1;

/** Says how the next runs are grouped. Only groups [first, first + count) are visited. */
export function setGrouping(
  newKind: i32,
  newChannels: f64,
  newInner: f64,
  newBlock: f64,
  first: f64,
  count: f64,
): void {
  kind = newKind;
  channels = i64(newChannels);
  inner = i64(newInner);
  block = i64(newBlock);
  firstGroup = i64(first);
  limit = i64(count);
}

/** Takes `count` float32 at `pointer`, of group, group + step, ...; `step` is 0 or 1. */
type Visit = (pointer: usize, count: i32, group: i32, step: i32) => void;

/** Visits the runs of `count` float32 at `pointer`, the first being element `start` of the tensor. */
export function forEachRun(pointer: usize, count: i32, start: f64, visit: Visit): void {
  if (kind == TENSOR) {
    visit(pointer, count, 0, 0);
    return;
  }
  let element = i64(start);
  const end = element + i64(count);
  const step = kind == CHANNEL ? i32(inner == 1) : i32(inner != 1);
  while (element < end) {
    const row = element / inner;
    const column = element - row * inner;
    const channel = row % channels;
    let length: i64;
    let group: i64;
    if (kind == CHANNEL) {
      length = inner == 1 ? channels - channel : inner - column;
      group = channel;
    } else {
      const blocks = (channels + block - 1) / block;
      const along = channel / block;
      const outer = row / channels;
      group = (outer * blocks + along) * inner + column;
      length =
        inner == 1 ? min(block - (channel - along * block), channels - channel) : inner - column;
    }
    length = min(length, end - element);
    visitWithin(pointer, length, group - firstGroup, step, visit);
    pointer += usize(length) << 2;
    element += length;
  }
}

/** The part of a run whose groups are wanted. */
function visitWithin(pointer: usize, length: i64, group: i64, step: i32, visit: Visit): void {
  if (step == 0) {
    if (group >= 0 && group < limit) visit(pointer, i32(length), i32(group), 0);
    return;
  }
  const from = max(group, 0);
  const to = min(group + length, limit);
  if (from >= to) return;
  visit(pointer + (usize(from - group) << 2), i32(to - from), i32(from), 1);
}
