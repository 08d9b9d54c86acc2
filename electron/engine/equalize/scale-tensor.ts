import * as fs from 'node:fs';
import type { TensorRef } from '../../../shared/model.ts';
import { writeFully } from '../../files/write-fully.ts';
import { channelsOf, forEachChannelRun, type ChannelView } from '../quantize/channel-view.ts';
import type { FileSource } from '../source.ts';
import { forEachRun } from '../tensor-bytes.ts';

/** Factors of a tensor's channels; a tensor may have some of several views. */
export interface Scaling {
  readonly view: ChannelView;
  readonly factors: Float64Array;
}

/**
 * The largest magnitude of each channel of a float32 tensor after its channels were scaled; null where a value is no
 * finite number.
 */
export function peaksOf(
  files: readonly FileSource[],
  tensor: TensorRef,
  scalings: readonly Scaling[],
  view: ChannelView,
): Float64Array | null {
  const peaks = new Float64Array(channelsOf(view));
  let isFinite = true;
  forEachScaledRun(files, tensor, scalings, (values, first) =>
    forEachChannelRun(view, first, values.length, (channel, from, to) => {
      let peak = peaks[channel]!;
      for (let at = from; at < to; at++) {
        const size = Math.abs(values[at]!);
        if (size > peak) peak = size;
        else if (size - size !== 0) isFinite = false;
      }
      peaks[channel] = peak;
    }),
  );
  return isFinite && peaks.every((peak) => Number.isFinite(peak)) ? peaks : null;
}

/** Write the scaled values of a float32 tensor where a copy of its file has the others. */
export function rewriteTensor(
  files: readonly FileSource[],
  copies: readonly string[],
  tensor: TensorRef,
  scalings: readonly Scaling[],
): void {
  const places = new Places(tensor, copies);
  try {
    forEachScaledRun(files, tensor, scalings, (values, first) =>
      places.write(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), 4 * first),
    );
  } finally {
    places.close();
  }
}

/** Visit values in runs, scaled in float32. */
function forEachScaledRun(
  files: readonly FileSource[],
  tensor: TensorRef,
  scalings: readonly Scaling[],
  visit: (values: Float32Array, first: number) => void,
): void {
  forEachRun(files, tensor, (bytes, firstByte) => {
    const values = new Float32Array(bytes.slice().buffer);
    for (const { view, factors } of scalings)
      forEachChannelRun(view, firstByte / 4, values.length, (channel, from, to) => {
        const factor = factors[channel]!;
        if (factor !== 1) for (let at = from; at < to; at++) values[at] = values[at]! * factor;
      });
    visit(values, firstByte / 4);
  });
}

/** The ranges of a tensor in copies of its model's files. */
class Places {
  private readonly tensor: TensorRef;
  private readonly open: ReadonlyMap<number, { readonly fd: number; readonly file: string }>;

  constructor(tensor: TensorRef, copies: readonly string[]) {
    this.tensor = tensor;
    const numbers = new Set(tensor.data.ranges.map(({ file }) => file));
    this.open = new Map(
      [...numbers].map((number) => {
        const file = copies[number]!;
        return [number, { fd: fs.openSync(file, 'r+'), file }];
      }),
    );
  }

  /** @param at counted over all ranges */
  write(bytes: Uint8Array, at: number): void {
    let start = 0;
    for (const range of this.tensor.data.ranges) {
      const [from, to] = [Math.max(at, start), Math.min(at + bytes.length, start + range.length)];
      if (from < to) {
        const { fd, file } = this.open.get(range.file)!;
        writeFully(fd, bytes.subarray(from - at, to - at), range.offset + from - start, file);
      }
      start += range.length;
    }
  }

  close(): void {
    for (const { fd } of this.open.values()) fs.closeSync(fd);
  }
}
