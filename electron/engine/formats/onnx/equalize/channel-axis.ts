/**
 * Where the channels of a value are, as far as operators tell: axes from the front and from the end, of which one may be
 * unknown where the rank is.
 */
export interface ChannelAxis {
  /** From 0. */
  readonly front: number | null;
  /** 1 is the last axis. */
  readonly end: number | null;
  /** Whether all axes behind are of one element. */
  readonly isPoint: boolean;
  /** Whether the axis has all that was behind as well, so that each channel is as many elements of it. */
  readonly isFlat: boolean;
}

/** An axis of a value of a rank. */
export function axisAt(front: number, rank: number | null): ChannelAxis {
  const end = rank === null ? null : rank - front;
  return { front, end, isPoint: end === 1, isFlat: false };
}

/** The last axis of a value of any rank. */
export const LAST_AXIS: ChannelAxis = { front: null, end: 1, isPoint: true, isFlat: false };

/** The rank where it is known. */
export function rankOf({ front, end }: ChannelAxis): number | null {
  return front === null || end === null ? null : front + end;
}

/** After an elementwise operator whose other input may have more axes. */
export function broadcast(axis: ChannelAxis): ChannelAxis {
  return { ...axis, front: axis.end === null ? axis.front : null };
}

/** Whether it is the axis at a place of a value of a rank. */
export function isAt({ front: found, end }: ChannelAxis, front: number, rank: number): boolean {
  return found === null ? end === rank - front : found === front;
}

/** After axes were removed or reduced to one element; null where the channels are among them, or it cannot be told. */
export function without(
  axis: ChannelAxis,
  axes: readonly number[],
  isKept: boolean,
): ChannelAxis | null {
  const rank = rankOf(axis);
  if (rank === null || axis.isFlat) return null;
  const [front, end] = [axis.front!, axis.end!];
  const removed = new Set(axes.map((each) => (each < 0 ? each + rank : each)));
  if (removed.has(front)) return null;
  const behind = [...removed].filter((each) => each > front).length;
  const isPoint = axis.isPoint || behind === end - 1;
  if (isKept) return { ...axis, isPoint };
  return { ...axis, front: front - (removed.size - behind), end: end - behind, isPoint };
}
