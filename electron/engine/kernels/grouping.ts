import type { Grouping } from '../quantize/layout.ts';
import type { KernelExports } from './kernels.ts';

/** TENSOR, CHANNEL and BLOCK of assembly/runs.ts. */
const KINDS = { tensor: 0, channel: 1, block: 2 } as const;

/** Tells the kernels how values are grouped, and which consecutive groups to visit. */
export function setGrouping(
  exports: KernelExports,
  { kind, layout, block, groups }: Grouping,
  first = 0,
  count: number = groups,
): void {
  exports.setGrouping(KINDS[kind], layout.channels, layout.inner, block, first, count);
}

/** Sets the kernels to take all values as one group. */
export function setUngrouped(exports: KernelExports): void {
  exports.setGrouping(KINDS.tensor, 1, 1, 0, 0, 1);
}
