// Scales and zero points, for the table and for the clipboard.
import { exactFloat32 } from '../../format/numbers.ts';

export interface ScaleList {
  readonly unit: string;
  readonly scale: readonly number[];
  readonly zeroPoint: readonly number[];
}

/** All scales as tab-separated values, each with the nine digits that tell every float32 apart. */
export function scalesAsTsv({ unit, scale, zeroPoint }: ScaleList): string {
  const rows = scale.map((each, index) =>
    [index, exactFloat32(each), zeroPoint[index] ?? 0].join('\t'),
  );
  return [[unit, 'scale', 'zero_point'].join('\t'), ...rows, ''].join('\n');
}
