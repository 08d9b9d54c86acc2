import { AppError } from '../../../../../shared/errors.ts';
import { endsEarly } from '../../ends-early.ts';
import { bigintOf, numberOf, tableOf, tablesOf, vectorOf, type TableNode } from './nodes.ts';
import type { PagedBytes } from './paged-bytes.ts';
import { readFlatBuffer } from './read-flatbuffer.ts';
import type {
  GraphRecord,
  LitertIndex,
  MetadataRecord,
  OperatorRecord,
  StoredBuffer,
  TensorRecord,
} from './records.ts';
import { BUILTIN_OPERATORS } from './schema.ts';
import { checkTensor, readQuantization } from './check-tensor.ts';
import { textOf, valuesOf } from './values.ts';

/** The only schema version there is; files of others mean other things by the same fields. */
export const SCHEMA_VERSION = 3;

/** Tensors of LiteRT have few axes; a shape of thousands is no shape. */
export const MAX_RANK = 64;

/** What a check needs to say where it failed. */
export interface Where {
  readonly file: string;
  readonly field: string;
}

export function malformed(
  where: Where,
  summary: string,
  found: string,
  expected: string,
): AppError {
  return new AppError('MALFORMED', summary, { ...where, found, expected });
}

/**
 * Reads a .tflite file's structure and holds every index in it against what it points into.
 * @throws AppError MALFORMED, UNSUPPORTED or LIMIT naming the field, what was found and expected
 */
export function readModel(source: PagedBytes): LitertIndex {
  const { root, unknown, end } = readFlatBuffer(source, 'Model');
  const file = source.path;
  const version = numberOf(root, 'version');
  if (version !== SCHEMA_VERSION)
    throw new AppError('UNSUPPORTED', 'is of another version of the schema', {
      file,
      field: 'version',
      found: String(version),
      expected: String(SCHEMA_VERSION),
    });
  const subgraphs = tablesOf(root, 'subgraphs');
  if (subgraphs.length === 0)
    throw malformed({ file, field: 'subgraphs' }, 'has no graph', 'none', 'at least one');
  const listed = new Listed(source);
  const buffers = tablesOf(root, 'buffers').map((node, index) =>
    readBuffer(source, node, `buffers[${index}]`),
  );
  const codes = tablesOf(root, 'operator_codes').map((code) => readCode(source, code));
  const graphs = subgraphs.map((node, index) =>
    readGraph(source, node, index, { buffers, codes, listed }),
  );
  const metadata = tablesOf(root, 'metadata').map((node, index) =>
    readMetadata(source, node, `metadata[${index}]`, buffers.length),
  );
  checkSignatures(source, root, graphs, listed);
  const used = buffers.reduce(
    (last, buffer) => Math.max(last, buffer === null ? 0 : buffer.offset + buffer.length),
    largeOptionsEnd(source, graphs, end),
  );
  const rest = source.size - used;
  return {
    root,
    unknown,
    buffers,
    graphs,
    metadata,
    description: textOf(source, vectorOf(root, 'description')),
    trailing: rest > 0 ? { kind: 'copy', file: 0, offset: used, length: rest } : null,
  };
}

/** Buffer.offset and size say where bytes outside of the FlatBuffer are; 0 and 1 mean that none are (LiteRT's interpreter_builder). */
function readBuffer(source: PagedBytes, node: TableNode, field: string): StoredBuffer | null {
  const data = vectorOf(node, 'data');
  const piece = data?.pieces[0];
  if (piece?.kind === 'copy')
    return { offset: piece.offset, length: piece.length, isOutside: false };
  const range = outsideRange(source, node, field, 'offset', 'size');
  return range === null ? null : { ...range, isOutside: true };
}

/** A range of the file that two 64-bit fields name. */
export function outsideRange(
  source: PagedBytes,
  node: TableNode,
  field: string,
  offsetName: string,
  sizeName: string,
): { readonly offset: number; readonly length: number } | null {
  const offset = bigintOf(node, offsetName);
  const size = bigintOf(node, sizeName);
  if (offset <= 1n || size <= 1n) return null;
  if (offset + size > BigInt(source.size))
    throw malformed(
      { file: source.path, field: `${field}.${offsetName}` },
      `lies out of the file: ${endsEarly(offset + size, source.size, true)}`,
      `bytes ${offset} to ${offset + size}`,
      `at most ${source.size}`,
    );
  return { offset: Number(offset), length: Number(size) };
}

function largeOptionsEnd(
  source: PagedBytes,
  graphs: readonly GraphRecord[],
  start: number,
): number {
  let end = start;
  for (const graph of graphs)
    for (const [index, { node }] of graph.operators.entries()) {
      const field = `subgraphs[${graph.index}].operators[${index}]`;
      const range = largeOptions(source, node, field);
      if (range !== null) end = Math.max(end, range.offset + range.length);
    }
  return end;
}

/** Custom options that lie outside of the FlatBuffer. */
export function largeOptions(
  source: PagedBytes,
  node: TableNode,
  field = 'operator',
): ReturnType<typeof outsideRange> {
  return outsideRange(
    source,
    node,
    field,
    'large_custom_options_offset',
    'large_custom_options_size',
  );
}

type Code = Pick<OperatorRecord, 'op' | 'isCustom' | 'version'>;

interface ModelParts {
  readonly buffers: readonly (StoredBuffer | null)[];
  readonly codes: readonly Code[];
  readonly listed: Listed;
}

/** Bytes of an entry of a list: an offset to a table, or the index of a tensor. */
const ENTRY_BYTES = 4;

/**
 * Counts what graphs list. FlatBuffers may share one list among many graphs or operators, and a small
 * file could so stand for a huge model; but without sharing the entries are bytes of the file.
 */
class Listed {
  private readonly source: PagedBytes;
  private bytes = 0;

  constructor(source: PagedBytes) {
    this.source = source;
  }

  add(entries: number, field: string): void {
    this.bytes += entries * ENTRY_BYTES;
    if (this.bytes <= this.source.size) return;
    const where = { file: this.source.path, field };
    throw malformed(
      where,
      'lists stand for more than the file has',
      `${this.bytes} bytes of them`,
      `at most ${this.source.size}`,
    );
  }
}

function readGraph(
  source: PagedBytes,
  node: TableNode,
  index: number,
  parts: ModelParts,
): GraphRecord {
  const field = `subgraphs[${index}]`;
  parts.listed.add(
    1 + tablesOf(node, 'tensors').length + tablesOf(node, 'operators').length,
    field,
  );
  const tensors = tablesOf(node, 'tensors').map((tensor, at) =>
    readTensor(source, tensor, `${field}.tensors[${at}]`, parts.buffers),
  );
  const indices = (
    owner: TableNode,
    name: string,
    least: number,
    path: string,
  ): readonly number[] => {
    const values = valuesOf(source, vectorOf(owner, name));
    parts.listed.add(values.length, `${path}.${name}`);
    for (const [at, value] of values.entries())
      checkIndex(source, `${path}.${name}[${at}]`, value, tensors.length, least);
    return values;
  };
  const operators = tablesOf(node, 'operators').map((operator, at): OperatorRecord => {
    const path = `${field}.operators[${at}]`;
    const opcode = numberOf(operator, 'opcode_index');
    checkIndex(source, `${path}.opcode_index`, opcode, parts.codes.length);
    indices(operator, 'intermediates', -1, path);
    return {
      node: operator,
      opcode,
      ...parts.codes[opcode]!,
      inputs: indices(operator, 'inputs', -1, path),
      outputs: indices(operator, 'outputs', -1, path),
      options: tableOf(operator, 'builtin_options'),
    };
  });
  return {
    node,
    index,
    path: index === 0 ? '' : textOf(source, vectorOf(node, 'name')) || `subgraph_${index}`,
    tensors,
    operators,
    inputs: indices(node, 'inputs', -1, field),
    outputs: indices(node, 'outputs', -1, field),
  };
}

function checkIndex(
  source: PagedBytes,
  field: string,
  value: number,
  count: number,
  least = 0,
): void {
  if (value >= least && value < count) return;
  throw malformed(
    { file: source.path, field },
    'an index leads out of its list',
    String(value),
    count === 0 ? 'an empty list' : `${least} to ${count - 1}`,
  );
}

/** Files made before operators went past 127 have their number in an int8 of its own; the greater of both counts. */
function readCode(source: PagedBytes, code: TableNode): Code {
  const number = Math.max(
    numberOf(code, 'builtin_code'),
    numberOf(code, 'deprecated_builtin_code'),
  );
  const builtin = BUILTIN_OPERATORS[number] ?? `BUILTIN_${number}`;
  const isCustom = builtin === 'CUSTOM';
  const custom = textOf(source, vectorOf(code, 'custom_code'));
  return {
    op: isCustom ? custom || builtin : builtin,
    isCustom,
    version: numberOf(code, 'version'),
  };
}

function readTensor(
  source: PagedBytes,
  node: TableNode,
  field: string,
  buffers: readonly (StoredBuffer | null)[],
): TensorRecord {
  const buffer = numberOf(node, 'buffer');
  checkIndex(source, `${field}.buffer`, buffer, buffers.length);
  const shape = readShape(source, node, field);
  const type = numberOf(node, 'type');
  const record = {
    node,
    name: textOf(source, vectorOf(node, 'name')),
    type,
    shape,
    buffer,
    isSparse: tableOf(node, 'sparsity') !== null,
    ...readQuantization(source, node, field, type, shape),
  };
  checkTensor(source, record, field, buffers[buffer] ?? null);
  return record;
}

function readShape(source: PagedBytes, node: TableNode, field: string): readonly number[] {
  const vector = vectorOf(node, 'shape');
  if (vector !== null && vector.count > MAX_RANK)
    throw new AppError('LIMIT', 'has too many axes', {
      file: source.path,
      field: `${field}.shape`,
      found: String(vector.count),
      expected: `at most ${MAX_RANK}`,
    });
  return valuesOf(source, vector);
}

function readMetadata(
  source: PagedBytes,
  node: TableNode,
  field: string,
  buffers: number,
): MetadataRecord {
  const buffer = numberOf(node, 'buffer');
  checkIndex(source, `${field}.buffer`, buffer, buffers);
  return { name: textOf(source, vectorOf(node, 'name')), buffer };
}

function checkSignatures(
  source: PagedBytes,
  root: TableNode,
  graphs: readonly GraphRecord[],
  listed: Listed,
): void {
  for (const [index, signature] of tablesOf(root, 'signature_defs').entries()) {
    const field = `signature_defs[${index}]`;
    const graph = numberOf(signature, 'subgraph_index');
    checkIndex(source, `${field}.subgraph_index`, graph, graphs.length);
    for (const list of ['inputs', 'outputs']) {
      listed.add(1 + tablesOf(signature, list).length, `${field}.${list}`);
      for (const [at, map] of tablesOf(signature, list).entries())
        checkIndex(
          source,
          `${field}.${list}[${at}].tensor_index`,
          numberOf(map, 'tensor_index'),
          graphs[graph]!.tensors.length,
        );
    }
  }
}
