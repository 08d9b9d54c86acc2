import { dtypeOf } from '../../../../../shared/dtypes.ts';
import type { TensorRef } from '../../../../../shared/model.ts';
import type { FileSource } from '../../../source.ts';
import { blockPaths } from './blocks.ts';
import { compareNames } from './name-order.ts';
import type { Header, HeaderTensor } from './read-header.ts';
import { ParameterReader } from './parameter-reader.ts';
import { describeTensors } from './roles.ts';
import { storedParts, type StoredPart } from './stored-parts.ts';
import {
  quantizedTensors,
  storedQuantization,
  symmetric,
  unreadOf,
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
  /** What it is of a weight that another tool quantized. */
  readonly part: StoredPart | null;
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
  const shards = new Map(
    headers.flatMap(({ tensors }, shard) => tensors.map(({ name }) => [name, shard])),
  );
  const rangesOf = ({ name, begin, end }: HeaderTensor) => [
    { file: fileOfShard(shards.get(name)!), offset: begin, length: end - begin },
  ];
  const reader = new ParameterReader(files, rangesOf);
  const found = findTensors(headers, reader);
  found.sort((a, b) => compareNames(a.entry.name, b.entry.name));
  const described = describeTensors(found.map(logicalOf));
  const blocks = blockPaths(described.map(({ layer }) => layer));
  return found.map((each, id) => {
    const { entry, shard, quantized } = each;
    const ref: TensorRef = {
      id,
      name: entry.name,
      dtype: quantized?.dtype ?? entry.dtype,
      shape: quantized?.shape ?? entry.shape,
      elements: quantized?.elements ?? entry.elements,
      bytes: entry.end - entry.begin,
      ...described[id]!,
      block: blocks[id]!,
      storage: headers.length > 1 || fileOfShard(shard) > 0 ? 'external' : 'inline',
      graph: '',
      consumers: [],
      quantization: quantizationOf(each, reader),
      ...storedFacts(each),
      data: { encoding: 'raw', ranges: rangesOf(entry) },
    };
    return { ref, entry, shard };
  });
}

function findTensors(headers: readonly Header[], reader: ParameterReader): Found[] {
  const parts = storedParts(
    headers.flatMap(({ tensors }) => tensors),
    (tensor) => reader.values(tensor),
  );
  const isPacked = (name: string): boolean => {
    const part = parts.get(name);
    return part?.codes?.name === name && part.values !== part.codes.elements;
  };
  return headers.flatMap((header, shard) => {
    const quantized = quantizedTensors(header, isPacked);
    const companions = new Set<string>();
    for (const { scale, zeroPoint } of quantized.values()) {
      companions.add(scale.name);
      if (zeroPoint !== null) companions.add(zeroPoint.name);
    }
    return header.tensors.map((entry) => ({
      entry,
      shard,
      quantized: quantized.get(entry.name) ?? null,
      part: parts.get(entry.name) ?? null,
      isCompanion: companions.has(entry.name),
    }));
  });
}

/** What a tensor stands for, which tells its role: codes for their weight, and what lies beside them for the same. */
function logicalOf({
  entry,
  quantized,
  part,
}: Found): Parameters<typeof describeTensors>[0][number] {
  if (quantized !== null)
    return { name: quantized.weight, dtype: 'float32', shape: quantized.shape };
  if (part === null || part.codes === null) return entry;
  return { name: part.weight, dtype: 'float32', shape: part.codes.shape };
}

function quantizationOf(
  { quantized, part, entry }: Found,
  reader: ParameterReader,
): TensorRef['quantization'] {
  if (quantized !== null) return storedQuantization(quantized, reader);
  if (part?.codes?.name !== entry.name || part.scale === null) return null;
  const { of, axis, divisor } = part.scale;
  const read = symmetric(of, reader, divisor);
  return { ...read, axis, blockSize: null, ...unreadOf(of, read.scale) };
}

/** What a tensor of a weight that is quantized already says of it, over what names tell. */
function storedFacts({ entry, quantized, part, isCompanion }: Found): Partial<TensorRef> {
  const constant = { role: 'constant', axis: null } as const;
  if (quantized?.isDescribed === true) return {};
  if (part === null) return isCompanion ? constant : {};
  if (part.codes?.name !== entry.name)
    return { ...constant, fixed: `belongs to a quantized weight (${part.layout})` };
  return {
    role: 'weight',
    axis: quantized?.axis ?? part.scale?.axis ?? null,
    fixed: `quantized already (${part.layout})`,
    parameters: part.values ?? entry.elements,
  };
}

/** Whether a model's conversion to another float type converts the tensor: every float but what belongs to codes. */
export function isConverted(ref: TensorRef): boolean {
  return (
    dtypeOf(ref.dtype).kind === 'float' &&
    ref.quantization === null &&
    ref.fixed === undefined &&
    ref.role !== 'constant'
  );
}

/**
 * What modules keep beside their parameters: running sums, frequencies of rotary positions, and the scales
 * of weights that others quantized (torch.nn.Module.register_buffer; transformers, compressed-tensors, GPTQ).
 */
const BUFFERS =
  /(?:^|\.)(?:running_(?:mean|var)|(?:\w+_)?inv_freq|masked_bias|scales|(?:weight|input|output|[kqv])_scale(?:_inv)?)$/;

/** Whether a tensor counts as parameters, as torch counts them: every one that is no buffer, of whatever role. */
export function isCounted(ref: TensorRef): boolean {
  const isCodes = ref.quantization !== null || ref.parameters !== undefined;
  return (isConverted(ref) || isCodes) && !BUFFERS.test(ref.name);
}
