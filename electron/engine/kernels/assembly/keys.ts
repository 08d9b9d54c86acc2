// Order statistics by the bits of values.
// Reference implementation: reference/plain-keys.ts.

import { forEachRun } from './runs';

let magnitudes: bool = false;

/** Whether keys are those of magnitudes rather than of values. */
export function setKeys(ofMagnitudes: bool): void {
  magnitudes = ofMagnitudes;
}

/** An unsigned integer that sorts as the value does; -0 is 0. */
function keyOf(value: f32): u32 {
  const bits = reinterpret<u32>((magnitudes ? abs(value) : value) + 0);
  return bits ^ (bits >> 31 == 1 ? 0xffffffff : 0x80000000);
}

export function valueOfKey(key: u32): f32 {
  return reinterpret<f32>(key >> 31 == 1 ? key ^ 0x80000000 : ~key);
}

let table: usize = 0;
let prefix: i32 = -1;

/**
 * Counts keys by their upper 16 bits, or, with a prefix of 0 or more, those that begin with it by
 * their lower 16 bits. `newTable` holds 65,536 uint32.
 */
export function countKeys(
  pointer: usize,
  count: i32,
  start: f64,
  newTable: usize,
  newPrefix: i32,
): void {
  table = newTable;
  prefix = newPrefix;
  forEachRun(pointer, count, start, countRun);
}

function countRun(pointer: usize, count: i32, _group: i32, _step: i32): void {
  const end = pointer + (usize(count) << 2);
  if (prefix < 0) {
    for (; pointer < end; pointer += 4) {
      const value = load<f32>(pointer);
      if (value - value != 0) continue;
      raise(keyOf(value) >> 16);
    }
    return;
  }
  for (; pointer < end; pointer += 4) {
    const value = load<f32>(pointer);
    if (value - value != 0) continue;
    const key = keyOf(value);
    if (i32(key >> 16) == prefix) raise(key & 0xffff);
  }
}

function raise(slot: u32): void {
  const place = table + (usize(slot) << 2);
  store<u32>(place, load<u32>(place) + 1);
}

let gathered: usize = 0;
let counts: usize = 0;
let room: usize = 0;

/** Where the keys of each group go, `newRoom` to a group, and where their counts are, as uint32. */
export function setGathering(newGathered: usize, newCounts: usize, newRoom: i32): void {
  gathered = newGathered;
  counts = newCounts;
  room = usize(newRoom);
}

export function gather(pointer: usize, count: i32, start: f64): void {
  forEachRun(pointer, count, start, gatherRun);
}

function gatherRun(pointer: usize, count: i32, group: i32, step: i32): void {
  for (let at = 0; at < count; at++, group += step) {
    const value = load<f32>(pointer + (usize(at) << 2));
    if (value - value != 0) continue;
    const counter = counts + (usize(group) << 2);
    const had = load<u32>(counter);
    store<u32>(gathered + ((usize(group) * room + had) << 2), keyOf(value));
    store<u32>(counter, had + 1);
  }
}

/** Groups of fewer keys are selected from without a table. */
const SMALL: i32 = 512;

/** Keys are told apart by their upper 11 bits first. */
const buckets: usize = memory.data(8192, 16);

/**
 * The value of a rank (0 is the least) among the keys gathered for a group. `scratch` has room for
 * as many keys. The keys of a small group may be reordered.
 */
export function selectRank(group: i32, rank: i32, scratch: usize): f32 {
  const keys = gathered + ((usize(group) * room) << 2);
  const count = load<i32>(counts + (usize(group) << 2));
  if (count < SMALL) return valueOfKey(quickSelect(keys, count, rank));
  memory.fill(buckets, 0, 8192);
  for (let at = 0; at < count; at++) {
    const place = buckets + (usize(load<u32>(keys + (usize(at) << 2)) >> 21) << 2);
    store<u32>(place, load<u32>(place) + 1);
  }
  let bucket: u32 = 0;
  let before = 0;
  while (true) {
    const here = load<i32>(buckets + (usize(bucket) << 2));
    if (before + here > rank) break;
    before += here;
    bucket++;
  }
  let found = 0;
  for (let at = 0; at < count; at++) {
    const key = load<u32>(keys + (usize(at) << 2));
    // Stored always and kept only sometimes: there is no branch to guess.
    store<u32>(scratch + (usize(found) << 2), key);
    found += i32(key >> 21 == bucket);
  }
  return valueOfKey(quickSelect(scratch, found, rank - before));
}

function keyAt(keys: usize, at: i32): u32 {
  return load<u32>(keys + (usize(at) << 2));
}

function swap(keys: usize, a: i32, b: i32): void {
  const key = keyAt(keys, a);
  store<u32>(keys + (usize(a) << 2), keyAt(keys, b));
  store<u32>(keys + (usize(b) << 2), key);
}

/** Hoare's selection; the middle key as pivot keeps sorted input from being the worst. */
function quickSelect(keys: usize, count: i32, rank: i32): u32 {
  let low = 0;
  let high = count - 1;
  while (low < high) {
    const pivot = keyAt(keys, low + ((high - low) >> 1));
    let left = low;
    let right = high;
    while (left <= right) {
      while (keyAt(keys, left) < pivot) left++;
      while (keyAt(keys, right) > pivot) right--;
      if (left > right) break;
      swap(keys, left, right);
      left++;
      right--;
    }
    if (rank <= right) high = right;
    else if (rank >= left) low = left;
    else break;
  }
  return keyAt(keys, rank);
}
