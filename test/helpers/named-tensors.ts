import type { Model } from '../../shared/model.ts';
import { tensor } from '../unit/renderer/tensors.ts';

/** A model of a small file in which one name stands at every tensor and use, as LiteRT's strings can be shared. */
export function litertTensors(name: string, count: number): Pick<Model, 'tensors' | 'files'> {
  const shared = {
    name,
    layer: name,
    graph: name,
    consumers: [{ node: name, op: 'Op', input: 0 }],
  };
  const data = { encoding: 'raw', ranges: [] } as const;
  return {
    files: [{ path: 'm.tflite', bytes: 1000 }],
    tensors: Array.from({ length: count }, (_, id) => ({ ...tensor(id, shared), data })),
  };
}
