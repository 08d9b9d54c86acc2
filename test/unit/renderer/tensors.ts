import type { TensorSummary } from '../../../shared/protocol.ts';
import type { TensorFigures } from '../../../shared/report.ts';
import type { Figures } from '../../../renderer/state/figures.ts';
import { schemeOf } from '../../../shared/scheme.ts';

/** A weight as the engine would list it. */
export function tensor(id: number, rest: Partial<TensorSummary> = {}): TensorSummary {
  const shape = rest.shape ?? [64, 64];
  const elements = shape.reduce((product, length) => product * length, 1);
  return {
    id,
    name: `w${id}`,
    dtype: 'float32',
    shape,
    elements,
    bytes: elements * 4,
    layer: `layer${id}`,
    op: 'MatMul',
    role: 'weight',
    axis: 1,
    storage: 'inline',
    graph: '',
    consumers: [],
    quantization: null,
    ...rest,
  };
}

export function report(id: number, rest: Partial<TensorFigures> = {}): TensorFigures {
  return {
    tensor: id,
    scheme: schemeOf(),
    quantized: true,
    reason: null,
    byRule: false,
    axis: 1,
    min: -1,
    max: 1,
    clipped: 0,
    levelsUsed: 255,
    mse: 1e-6,
    rmse: 1e-3,
    maxAbsError: 1e-2,
    sqnrDb: 40,
    cosine: 1,
    signal: 1,
    noise: 1e-4,
    bytesBefore: 16384,
    bytesAfter: 4352,
    ...rest,
  };
}

export function figures(rest: Partial<Figures> = {}): Figures {
  return {
    scheme: schemeOf(),
    reason: null,
    byRule: false,
    bytes: 100,
    db: 40,
    stale: false,
    ...rest,
  };
}
