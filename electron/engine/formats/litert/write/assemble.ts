import { AppError, printable } from '../../../../../shared/errors.ts';
import type { Recipe } from '../../../../../shared/recipe.ts';
import { TOOL_VERSION } from '../../../export/version.ts';
import {
  makeString,
  makeTable,
  makeTables,
  makeVector,
  tablesOf,
  vectorOf,
  withFields,
  type TableNode,
  type VectorNode,
} from '../read/nodes.ts';
import { BUFFER_ALIGNMENT } from '../read/read-flatbuffer.ts';
import { largeOptions } from '../read/read-model.ts';
import type { LitertIndex, StoredBuffer } from '../read/records.ts';
import { fieldOf } from '../read/schema.ts';
import type { PagedBytes } from '../read/paged-bytes.ts';
import type { Piece } from '../../../export/layout.ts';
import { CONTROL_EDGES, moveControlEdges } from './control-edges.ts';
import type { GraphEdit } from './graph-edit.ts';
import type { OperatorCodes } from './operator-codes.ts';
import { MAX_WORD, MIN_RUNTIME_VERSION, raisedRuntimeVersion } from './runtime-versions.ts';
import { writeFlatBuffer, type OutsideBytes } from './write-flatbuffer.ts';

/** Names of metadata entries by which an export says how it was made. */
export const RECIPE_NAME = 'quantscope.recipe';
export const VERSION_NAME = 'quantscope.version';

/** The metadata by which an export under a recipe says how it was made. */
export function toldBy(recipe: Recipe): readonly (readonly [string, string])[] {
  return [
    [RECIPE_NAME, JSON.stringify(recipe)],
    [VERSION_NAME, printable(TOOL_VERSION)],
  ];
}

/** What a file is made of, besides what its graphs and buffers are changed to. */
export interface Assembled {
  readonly index: LitertIndex;
  readonly source: PagedBytes;
  /** Metadata that is added: name and text. */
  readonly told: readonly (readonly [string, string])[];
  /** Bytes that the file must stay under. */
  readonly limit: number;
  /** Buffers that are added behind the model's own. */
  readonly added?: readonly Uint8Array[];
  /** In place of the signatures that there are. */
  readonly signatures?: readonly TableNode[];
}

/**
 * The whole file of a changed model; null where it reaches the limit.
 * @param stored what buffers hold anew, by number
 */
export function assembleModel(
  { index, source, told, limit, signatures, added = [] }: Assembled,
  stored: ReadonlyMap<number, Piece>,
  edits: readonly Pick<GraphEdit, 'finish'>[],
  codes: OperatorCodes,
): Piece[] | null {
  const buffers = new Buffers(index, stored);
  for (const bytes of added) buffers.add(bytes);
  const finished = edits.map((edit) => edit.finish());
  const metadata = metadataOf(index, source, buffers, codes, (graph, operator) => {
    const moved = finished[graph]?.moved;
    return moved === undefined || operator >= moved.length ? operator : moved[operator]!;
  });
  for (const [name, text] of told)
    metadata.push(
      makeTable('Metadata', {
        name: makeString(name),
        buffer: buffers.add(new TextEncoder().encode(text)),
      }),
    );
  const root = withFields(index.root, {
    operator_codes: makeTables(codes.tables),
    subgraphs: makeTables(finished.map(({ node }) => node)),
    buffers: makeTables(buffers.tables),
    metadata: makeTables(metadata),
    ...(signatures === undefined ? {} : { signature_defs: makeTables(signatures) }),
  });
  const outside = [...buffers.outside, ...outsideOptions(finished, source)];
  const pieces = writeFlatBuffer(root, 'TFL3', source, { last: buffers.data, outside, limit });
  if (pieces === null) return null;
  return index.trailing === null ? pieces : [...pieces, index.trailing];
}

/** The buffers of an export. */
class Buffers {
  readonly tables: TableNode[];
  readonly data = new Set<VectorNode>();
  readonly outside: OutsideBytes[] = [];

  constructor(index: LitertIndex, anew: ReadonlyMap<number, Piece>) {
    this.tables = tablesOf(index.root, 'buffers').map((table, number) =>
      this.carry(table, index.buffers[number] ?? null, anew.get(number)),
    );
  }

  /** A new buffer of bytes; its number. */
  add(bytes: Uint8Array): number {
    const data = { ...makeVector(bytes), alignment: BUFFER_ALIGNMENT };
    this.data.add(data);
    return this.tables.push(makeTable('Buffer', { data })) - 1;
  }

  /** Other bytes in a buffer's place. */
  replace(number: number, bytes: Uint8Array): void {
    const data = { ...makeVector(bytes), alignment: BUFFER_ALIGNMENT };
    this.data.add(data);
    this.tables[number] = withFields(this.tables[number]!, { data });
  }

  private carry(table: TableNode, stored: StoredBuffer | null, anew: Piece | undefined): TableNode {
    if (stored === null) return table;
    const piece = anew ?? { kind: 'copy', file: 0, offset: stored.offset, length: stored.length };
    if (stored.isOutside) {
      // A table of its own, as its fields are filled in when everything has its place.
      const own = { ...table };
      this.outside.push(outsideBytes(own, 'offset', 'size', piece));
      return own;
    }
    const length = piece.kind === 'bytes' ? piece.bytes.length : piece.length;
    const old = vectorOf(table, 'data')!;
    const data =
      anew === undefined
        ? old
        : { ...old, count: length, pieces: [anew], alignment: BUFFER_ALIGNMENT };
    this.data.add(data);
    return anew === undefined ? table : withFields(table, { data });
  }
}

function outsideBytes(table: TableNode, offset: string, size: string, piece: Piece): OutsideBytes {
  return {
    table,
    offsetField: fieldOf(table.table, offset).id,
    sizeField: fieldOf(table.table, size).id,
    pieces: [piece],
  };
}

/** Custom options that lie behind the FlatBuffer, of the operators as they are now. */
function outsideOptions(
  finished: readonly { readonly node: TableNode }[],
  source: PagedBytes,
): OutsideBytes[] {
  return finished.flatMap(({ node }) =>
    // One that several references share lies once.
    [...new Set(tablesOf(node, 'operators'))].flatMap((operator) => {
      const range = largeOptions(source, operator);
      if (range === null) return [];
      const piece: Piece = { kind: 'copy', file: 0, ...range };
      return [
        outsideBytes(operator, 'large_custom_options_offset', 'large_custom_options_size', piece),
      ];
    }),
  );
}

/** Bytes of control edges that are read: a pair of operators takes a few. */
const MAX_EDGES = 64 << 20;

/** The entries that are carried over; what they say of operators and of the runtime made true again. */
function metadataOf(
  index: LitertIndex,
  source: PagedBytes,
  buffers: Buffers,
  codes: OperatorCodes,
  moved: (graph: number, operator: number) => number | null,
): TableNode[] {
  const kept: TableNode[] = [];
  // Thousands of entries may name one buffer: it is made true again once.
  const corrected = new Set<number>();
  for (const [at, table] of tablesOf(index.root, 'metadata').entries()) {
    const { name, buffer } = index.metadata[at]!;
    if (name === RECIPE_NAME || name === VERSION_NAME) continue;
    kept.push(table);
    const stored = index.buffers[buffer] ?? null;
    if (name !== CONTROL_EDGES && name !== MIN_RUNTIME_VERSION) continue;
    if (stored === null || corrected.has(buffer)) continue;
    corrected.add(buffer);
    if (name === CONTROL_EDGES) buffers.replace(buffer, movedEdges(stored, source, moved));
    if (name !== MIN_RUNTIME_VERSION || stored.isOutside || stored.length > MAX_WORD) continue;
    const raised = raisedRuntimeVersion(source.read(stored.offset, stored.length), codes.needed);
    if (raised !== null) buffers.replace(buffer, raised);
  }
  return kept;
}

/** @throws AppError UNSUPPORTED where it cannot be told which operators the edges are of */
function movedEdges(
  stored: StoredBuffer,
  source: PagedBytes,
  moved: (graph: number, operator: number) => number | null,
): Uint8Array {
  const isRead = !stored.isOutside && stored.length <= MAX_EDGES;
  const bytes = isRead ? source.read(stored.offset, stored.length) : new Uint8Array(0);
  const edges = moveControlEdges(bytes, moved);
  if (edges !== null) return edges;
  throw new AppError('UNSUPPORTED', 'cannot be exported without losing its control edges', {
    file: source.path,
    field: `metadata ${CONTROL_EDGES}`,
    found: 'another form of them',
    expected: 'version 1',
  });
}
