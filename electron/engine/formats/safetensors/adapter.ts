import { NO_GRAPH } from '../../../../shared/graph.ts';
import type { Model } from '../../../../shared/model.ts';
import { layoutSafetensors } from './write/layout-safetensors.ts';
import type { FileSource } from '../../source.ts';
import type { FormatAdapter, OpenedModel } from '../format.ts';
import { sumsOf } from '../sums.ts';
import { producerOf } from './read/describe-model.ts';
import { readHeader, LENGTH_BYTES, type Header } from './read/read-header.ts';
import { readProperties } from './read/properties.ts';
import { readIndex, type ShardIndex } from './read/read-index.ts';
import { buildTensors, isConverted, isCounted } from './read/tensors.ts';

const FILE = '.safetensors';
const INDEX = '.safetensors.index.json';
/** diffusers names the index of a variant so: `model.safetensors.index.fp16.json`. */
const VARIANT_INDEX = /\.safetensors\.index\.[\w.-]+\.json$/;

export const safetensorsAdapter: FormatAdapter = {
  format: 'safetensors',
  name: 'safetensors',
  extensions: ['safetensors', 'safetensors.index.json'],
  explains: true,
  isCheckpoint: true,
  match,
  inFolder,
  open: (source) => (isJson(source) ? openSharded(source) : openSingle(source)),
};

/** The format has no magic number: a length that fits in the file, and a JSON object behind it; or the JSON of an index. */
function match(head: Uint8Array, size: number): boolean {
  if (head.length > LENGTH_BYTES && head[LENGTH_BYTES] === 0x7b) {
    const length = new DataView(head.buffer, head.byteOffset).getBigUint64(0, true);
    if (length > 0n && length <= BigInt(size - LENGTH_BYTES)) return true;
  }
  return /^\s*\{[\s\S]*"(?:weight_map|metadata)"/.test(Buffer.from(head).toString('latin1'));
}

/** A header's length, eight bytes, cannot begin as JSON does and be within the limit. */
function isJson(source: FileSource): boolean {
  const text = Buffer.from(source.read(0, Math.min(source.size, 64))).toString('latin1');
  return /^\s*\{/.test(text) && !/^[^\0]{1,7}\0/.test(text);
}

/** A folder is its index, else its safetensors files. */
function inFolder(names: readonly string[]): readonly string[] {
  if (names.includes(`model${INDEX}`)) return [`model${INDEX}`];
  const kinds = [
    (name: string) => name.endsWith(INDEX),
    (name: string) => VARIANT_INDEX.test(name),
    (name: string) => name.endsWith(FILE),
  ];
  return kinds.map((isKind) => names.filter(isKind)).find((found) => found.length > 0) ?? [];
}

function openSingle(source: FileSource): OpenedModel {
  return opened(source, [readHeader(source)], null);
}

function openSharded(source: FileSource): OpenedModel {
  const index = readIndex(source);
  try {
    return opened(source, index.shards, index);
  } catch (error) {
    for (const shard of index.shards) shard.source.close();
    throw error;
  }
}

function opened(
  source: FileSource,
  headers: readonly Header[],
  index: ShardIndex | null,
): OpenedModel {
  const files = index === null ? [source] : [source, ...headers.map((header) => header.source)];
  const tensors = buildTensors(headers, files, (shard) => (index === null ? 0 : shard + 1));
  const refs = tensors.map((tensor) => tensor.ref);
  const model: Model = {
    format: 'safetensors',
    files: files.map((file) => ({ path: file.path, bytes: file.size })),
    producer: producerOf(source.path, headers[0]?.metadata ?? new Map()),
    opsets: [],
    ...sumsOf(refs, isConverted, isCounted),
    tensors: refs,
  };
  return {
    model,
    files,
    extension: index === null ? FILE : INDEX,
    modes: ['qdq', 'float', 'cast'],
    properties: () => readProperties(model.producer, headers, index),
    graph: () => NO_GRAPH,
    runHints: null,
    layout: ({ weights }, mode, recipe, targetName) =>
      layoutSafetensors({
        headers,
        index,
        tensors,
        files,
        plan: weights,
        mode,
        recipe,
        targetName,
      }),
    close: () => {
      for (const file of files) file.close();
    },
  };
}
