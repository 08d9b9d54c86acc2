import type { Patches } from '../formats/format.ts';

/** The positions at which an operator multiplies a value with its weight, and what it multiplies there. */
export class Positions {
  readonly count: number;
  readonly read: (values: ArrayLike<number>, position: number, row: Float64Array) => void;

  private constructor(count: number, read: Positions['read']) {
    [this.count, this.read] = [count, read];
  }

  /** Of a value of some shape; null where the shape does not give rows of so many columns. */
  static of(dims: readonly number[], columns: number, patches: Patches | null): Positions | null {
    const elements = dims.reduce((product, size) => product * size, 1);
    if (patches !== null) return patchPositions(dims, columns, patches);
    if (dims.at(-1) !== columns) return null;
    return new Positions(elements / columns, (values, position, row) => {
      for (let column = 0; column < columns; column++)
        row[column] = values[position * columns + column]!;
    });
  }

  static over(count: number, read: Positions['read']): Positions {
    return new Positions(count, read);
  }
}

/** How one axis of a Conv's input is walked. */
interface Axis {
  readonly size: number;
  readonly steps: number;
  readonly stride: number;
  readonly dilation: number;
  readonly before: number;
  readonly kernel: number;
}

/** Patches [channels, kernel...] of a value [batch, channels, ...sizes]; what lies on padding is 0. */
function patchPositions(
  [batch, channels, ...sizes]: readonly number[],
  columns: number,
  patches: Patches,
): Positions | null {
  if (batch === undefined || channels === undefined || sizes.length !== patches.kernel.length)
    return null;
  const axes = sizes.map((size, axis) => axisOf(size, axis, patches));
  const taps = patches.kernel.reduce((product, size) => product * size, 1);
  if (channels * taps !== columns) return null;
  const area = sizes.reduce((product, size) => product * size, 1);
  const steps = axes.reduce((product, axis) => product * axis.steps, 1);
  const offsets = new Int32Array(taps);
  return Positions.over(batch * steps, (values, position, row) => {
    const sample = Math.floor(position / steps);
    tapOffsets(axes, position % steps, offsets);
    for (let channel = 0; channel < channels; channel++) {
      const from = (sample * channels + channel) * area;
      for (let tap = 0; tap < taps; tap++) {
        const offset = offsets[tap]!;
        row[channel * taps + tap] = offset < 0 ? 0 : values[from + offset]!;
      }
    }
  });
}

/** Where each tap of the kernel lies in a channel of the input; -1 on padding. */
function tapOffsets(axes: readonly Axis[], step: number, offsets: Int32Array): void {
  for (let tap = 0; tap < offsets.length; tap++) {
    let [offset, unit, restOfStep, restOfTap] = [0, 1, step, tap];
    for (let axis = axes.length - 1; axis >= 0; axis--) {
      const { size, steps, stride, dilation, before, kernel } = axes[axis]!;
      const at = (restOfStep % steps) * stride + (restOfTap % kernel) * dilation - before;
      offset = offset < 0 || at < 0 || at >= size ? -1 : offset + at * unit;
      unit *= size;
      restOfStep = Math.floor(restOfStep / steps);
      restOfTap = Math.floor(restOfTap / kernel);
    }
    offsets[tap] = offset;
  }
}

/** ONNX Conv: the number of steps along an axis and the padding before it, by auto_pad or pads. */
function axisOf(size: number, axis: number, patches: Patches): Axis {
  const { autoPad, pads } = patches;
  const [kernel, stride, dilation] = [
    patches.kernel[axis]!,
    patches.strides[axis]!,
    patches.dilations[axis]!,
  ];
  const extent = dilation * (kernel - 1) + 1;
  let [before, after] = [pads[axis]!, pads[axis + patches.kernel.length]!];
  if (autoPad === 'VALID') [before, after] = [0, 0];
  if (autoPad === 'SAME_UPPER' || autoPad === 'SAME_LOWER') {
    const padding = Math.max(0, (Math.ceil(size / stride) - 1) * stride + extent - size);
    before = autoPad === 'SAME_UPPER' ? Math.floor(padding / 2) : Math.ceil(padding / 2);
    after = padding - before;
  }
  const steps = Math.max(0, Math.floor((size + before + after - extent) / stride) + 1);
  return { size, steps, stride, dilation, before, kernel };
}
