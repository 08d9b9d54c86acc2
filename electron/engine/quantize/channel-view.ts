/**
 * How the elements of a tensor belong to channels: it is [groups, outer, channels, inner], and of an element the channel is
 * `group * channels + channel`.
 */
export interface ChannelView {
  readonly groups: number;
  readonly outer: number;
  readonly channels: number;
  readonly inner: number;
}

/** Channels on one axis of a shape. */
export function viewOfAxis(shape: readonly number[], axis: number): ChannelView {
  return {
    groups: 1,
    outer: product(shape.slice(0, axis)),
    channels: shape[axis] ?? 1,
    inner: product(shape.slice(axis + 1)),
  };
}

/** How many channels there are in all groups. */
export function channelsOf({ groups, channels }: ChannelView): number {
  return groups * channels;
}

export function product(sizes: readonly number[]): number {
  return sizes.reduce((result, size) => result * size, 1);
}

/**
 * Visit runs of elements of one channel, first to last.
 * @param first, count which elements of the tensor
 * @param visit from and to are counted from `first`
 */
export function forEachChannelRun(
  { outer, channels, inner }: ChannelView,
  first: number,
  count: number,
  visit: (channel: number, from: number, to: number) => void,
): void {
  let within = first % inner;
  let channel = Math.floor(first / inner) % channels;
  let row = Math.floor(first / inner / channels);
  for (let at = 0; at < count;) {
    const to = Math.min(count, at + inner - within);
    visit(Math.floor(row / outer) * channels + channel, at, to);
    at = to;
    within = 0;
    channel++;
    if (channel === channels) [channel, row] = [0, row + 1];
  }
}
