import { bfloat16Value } from '../../../shared/bfloat16.ts';
import { float16Value } from '../../../shared/float16.ts';
import { groupingOf } from './layout.ts';
import type { CodeSink, EncodeJob } from './passes.ts';
import type { FloatCast } from '../../../shared/scheme.ts';
import {
  BFLOAT16,
  decodeSmallFloat,
  FLOAT16,
  FLOAT8_E4M3FN,
  FLOAT8_E5M2,
  type SmallFloat,
} from '../../../shared/small-float.ts';

/** A float type that values are cast to: its format, and a quick way back. */
export interface Cast {
  readonly format: SmallFloat;
  readonly bits: 8 | 16;
  readonly decode: (bits: number) => number;
}

function byTable(format: SmallFloat): (bits: number) => number {
  const table = Float32Array.from({ length: 256 }, (_, bits) => decodeSmallFloat(bits, format));
  return (bits) => table[bits]!;
}

/** The casts by the type that they cast to. */
export const CASTS: Readonly<Record<FloatCast, Cast>> = {
  float16: { format: FLOAT16, bits: 16, decode: float16Value },
  bfloat16: { format: BFLOAT16, bits: 16, decode: bfloat16Value },
  float8_e4m3fn: { format: FLOAT8_E4M3FN, bits: 8, decode: byTable(FLOAT8_E4M3FN) },
  float8_e5m2: { format: FLOAT8_E5M2, bits: 8, decode: byTable(FLOAT8_E5M2) },
};

/** A cast's job: it has no scales, so that nothing need be known of the values. */
export function castJob(dtype: FloatCast, elements: number, sink: CodeSink | undefined): EncodeJob {
  const parameters = { scale: new Float64Array(0), zeroPoint: new Int32Array(0) };
  const grouping = groupingOf([elements], null, 'tensor');
  return { encoding: { kind: 'cast', dtype }, grouping, parameters, sink };
}
