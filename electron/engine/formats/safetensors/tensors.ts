import { dtypeOf } from '../../../../shared/dtypes.ts';
import type { TensorRef } from '../../../../shared/model.ts';
import { readNumbers } from '../../tensor-bytes.ts';
import type { FileSource } from '../../source.ts';
import { blockPaths } from './blocks.ts';
import type { Header, HeaderTensor } from './read-header.ts';
import { describeTensors } from './roles.ts';
import {
  quantizedTensors,
  storedQuantization,
  type QuantizedTensor,
} from './stored-quantization.ts';

/** A TensorRef with the header's record of it, which the exporter rewrites. */
export interface SafetensorsTensor {
  readonly ref: TensorRef;
  readonly entry: HeaderTensor;
  /** Which of the headers it stands in. */
  readonly shard: number;
}

interface Found {
  readonly entry: HeaderTensor;
  readonly shard: number;
  readonly quantized: QuantizedTensor | null;
  /** Whether it is the scale or zero point of another. */
  readonly isCompanion: boolean;
}

/**
 * Make the model's tensors from its headers, in the order of their names, numbers by their value.
 * @param fileOfShard the number of a shard's file among the model's
 */
export function buildTensors(
  headers: readonly Header[],
  files: readonly FileSource[],
  fileOfShard: (shard: number) => number,
): SafetensorsTensor[] {
  const found = headers.flatMap((header, shard) => findTensors(header, shard));
  const keys = new Map(found.map((each) => [each, orderKey(each.entry.name)]));
  found.sort((a, b) => (keys.get(a)! < keys.get(b)! ? -1 : 1));
  const described = describeTensors(found.map(logicalOf));
  const blocks = blockPaths(described.map(({ layer }) => layer));
  return found.map(({ entry, shard, quantized, isCompanion }, id) => {
    const file = fileOfShard(shard);
    const range = (of: HeaderTensor) => [{ file, offset: of.begin, length: of.end - of.begin }];
    const read = (of: HeaderTensor): number[] =>
      readNumbers(files, { ...of, data: { encoding: 'raw', ranges: range(of) } });
    const ref: TensorRef = {
      id,
      name: entry.name,
      dtype: quantized?.dtype ?? entry.dtype,
      shape: quantized?.shape ?? entry.shape,
      elements: quantized?.elements ?? entry.elements,
      bytes: entry.end - entry.begin,
      ...described[id]!,
      block: blocks[id]!,
      ...(isCompanion ? { role: 'constant' as const, axis: null } : {}),
      storage: headers.length > 1 || file > 0 ? 'external' : 'inline',
      graph: '',
      consumers: [],
      quantization: quantized === null ? null : storedQuantization(quantized, read),
      data: { encoding: 'raw', ranges: range(entry) },
    };
    return { ref, entry, shard };
  });
}

function findTensors(header: Header, shard: number): Found[] {
  const quantized = quantizedTensors(header);
  const companions = new Set<string>();
  for (const { scale, zeroPoint } of quantized.values()) {
    companions.add(scale.name);
    if (zeroPoint !== null) companions.add(zeroPoint.name);
  }
  return header.tensors.map((entry) => ({
    entry,
    shard,
    quantized: quantized.get(entry.name) ?? null,
    isCompanion: companions.has(entry.name),
  }));
}

/** What a tensor stands for, which tells its role: codes for their weight. */
function logicalOf({ entry, quantized }: Found): Parameters<typeof describeTensors>[0][number] {
  if (quantized === null) return entry;
  return { name: quantized.weight, dtype: 'float32', shape: quantized.shape };
}

/** Whether a model's conversion to another float type converts the tensor: every float but the scales of codes. */
export function isConverted(ref: TensorRef): boolean {
  return (
    dtypeOf(ref.dtype).kind === 'float' && ref.quantization === null && ref.role !== 'constant'
  );
}

/** Compares as names do, but layer 2 comes before layer 10. */
function orderKey(name: string): string {
  return name.replace(/\d{1,15}/g, (digits) => digits.padStart(15, '0'));
}

/**
 * What modules keep beside their parameters: running sums, frequencies of rotary positions, and the scales
 * of weights that others quantized (torch.nn.Module.register_buffer; transformers, compressed-tensors, GPTQ).
 */
const BUFFERS =
  /(?:^|\.)(?:running_(?:mean|var)|(?:\w+_)?inv_freq|masked_bias|scales|(?:weight|input|output|[kqv])_scale(?:_inv)?)$/;

/** Whether a tensor counts as parameters, as torch counts them: every one that is no buffer, of whatever role. */
export function isCounted(ref: TensorRef): boolean {
  return (isConverted(ref) || ref.quantization !== null) && !BUFFERS.test(ref.name);
}
