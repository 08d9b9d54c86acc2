import type { Patches, WeightInput } from '../formats/format.ts';

/** What is summed for each output of an operator. */
export type Summed = Pick<WeightInput, 'columns' | 'groups' | 'patches'>;

/** Positions that are read at a time. */
export const PANEL = 32;

/** Where positions are read to: panel[(group * width + column) * PANEL + at]. */
export interface Panel {
  readonly values: Float64Array;
  /** Columns of a group, of which those that are summed come first. */
  readonly width: number;
}

/** The positions at which an operator multiplies a value with its weight, and what it multiplies there. */
export class Positions {
  readonly count: number;
  /** Read up to PANEL positions of the value. */
  readonly read: (values: ArrayLike<number>, positions: readonly number[], panel: Panel) => void;

  private constructor(count: number, read: Positions['read']) {
    [this.count, this.read] = [count, read];
  }

  /** Of a value of some shape; null where the shape does not give rows of so many columns. A group follows another. */
  static of(dims: readonly number[], summed: Summed): Positions | null {
    const elements = dims.reduce((product, size) => product * size, 1);
    const { columns, patches } = summed;
    if (patches !== null) return patchPositions(dims, summed, patches);
    if (!endsWith(dims, columns)) return null;
    return new Positions(elements / columns, (values, positions, panel) => {
      for (const [at, position] of positions.entries())
        for (let column = 0; column < columns; column++)
          panel.values[column * PANEL + at] = values[position * columns + column]!;
    });
  }

  static over(count: number, read: Positions['read']): Positions {
    return new Positions(count, read);
  }
}

/** Whether a value's last axes, or some of them, have so many elements together, as FULLY_CONNECTED of LiteRT takes them. */
function endsWith(dims: readonly number[], columns: number): boolean {
  let product = 1;
  for (let axis = dims.length - 1; axis >= 0 && product < columns; axis--) product *= dims[axis]!;
  return dims.length > 0 && product === columns;
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

/**
 * Patches [groups, channels, kernel...] of a value [batch, channels, ...sizes], or [groups, kernel..., channels] where
 * channels are last; what lies on padding is 0.
 */
function patchPositions(
  dims: readonly number[],
  { columns, groups }: Summed,
  patches: Patches,
): Positions | null {
  const isLast = patches.isChannelsLast === true;
  const [batch, channels] = [dims[0], isLast ? dims.at(-1) : dims[1]];
  const sizes = isLast ? dims.slice(1, -1) : dims.slice(2);
  if (batch === undefined || channels === undefined || sizes.length !== patches.kernel.length)
    return null;
  const axes = sizes.map((size, axis) => axisOf(size, axis, patches));
  const taps = patches.kernel.reduce((product, size) => product * size, 1);
  if (channels * taps !== groups * columns) return null;
  const area = sizes.reduce((product, size) => product * size, 1);
  const steps = axes.reduce((product, axis) => product * axis.steps, 1);
  const own = channels / groups;
  // Between the channels of a place, in the value and among columns; and between places.
  const [apart, columnsApart] = isLast ? [1, 1] : [area, taps];
  const [step, columnStep] = isLast ? [channels, own] : [1, 1];
  const places = new Int32Array(taps * PANEL);
  const offsets = new Int32Array(taps);
  return Positions.over(batch * steps, (values, positions, panel) => {
    for (const [at, position] of positions.entries()) {
      const from = Math.floor(position / steps) * channels * area;
      tapOffsets(axes, position % steps, offsets);
      for (let tap = 0; tap < taps; tap++)
        places[tap * PANEL + at] = offsets[tap]! < 0 ? -1 : from + offsets[tap]! * step;
    }
    for (let channel = 0; channel < channels; channel++) {
      const group = Math.floor(channel / own);
      const first = group * panel.width + (channel - group * own) * columnsApart;
      for (let tap = 0; tap < taps; tap++) {
        const to = (first + tap * columnStep) * PANEL;
        for (let at = 0; at < positions.length; at++) {
          const place = places[tap * PANEL + at]!;
          panel.values[to + at] = place < 0 ? 0 : values[place + channel * apart]!;
        }
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
