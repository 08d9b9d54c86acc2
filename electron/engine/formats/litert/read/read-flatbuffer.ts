import { AppError } from '../../../../../shared/errors.ts';
import { cutOff } from '../../ends-early.ts';
import type { FieldValue, TableNode, TablesNode, VectorNode } from './nodes.ts';
import type { PagedBytes } from './paged-bytes.ts';
import { fieldsOf, SCALAR_BYTES, type Field, type ScalarType } from './schema.ts';

/** Tables that a model may have: flatbuffers' own verifier stops there, too, and each takes memory. */
export const MAX_TABLES = 1_000_000;

/** What a newer schema put into the file and this one does not know, so that it cannot be carried over. */
export interface UnknownField {
  readonly field: string;
  readonly what: string;
}

export interface FlatBuffer {
  readonly root: TableNode;
  readonly unknown: readonly UnknownField[];
  /** Where the last structure ends: what lies behind is no part of the FlatBuffer. */
  readonly end: number;
}

/** The way to a field from the root, for messages. */
interface Path {
  readonly parent: Path | null;
  readonly step: string;
}

function textOf(path: Path | null): string {
  const steps: string[] = [];
  for (let at = path; at !== null; at = at.parent) steps.unshift(at.step);
  return steps.join('').replace(/^\./, '');
}

/** Where something is said to be in the file. */
interface Place {
  readonly at: number;
  readonly path: Path | null;
}

/**
 * Reads a whole FlatBuffer by the schema and verifies it on the way, by the rules of flatbuffers' C++
 * Verifier: every offset leads forward into the file, every table lies whole in it with its vtable,
 * every field in its table, every vector and string in the file; all of it aligned. Vectors' values
 * stay in the file. The schema's tables never hold themselves, so that depth is bounded by it.
 * @throws AppError MALFORMED or LIMIT naming the field, where it is, what was found and expected
 */
export function readFlatBuffer(bytes: PagedBytes, rootTable: string): FlatBuffer {
  return new Reader(bytes).read(rootTable);
}

class Reader {
  private readonly bytes: PagedBytes;
  private readonly known = new Map<string, TableNode | VectorNode | TablesNode>();
  private readonly vtables = new Set<number>();
  /** Vtables, by table, that were looked through for fields beyond the schema's. */
  private readonly searched = new Set<string>();
  private readonly unknown: UnknownField[] = [];
  private tables = 0;
  private structure = 0;
  private end = 0;

  constructor(bytes: PagedBytes) {
    this.bytes = bytes;
  }

  read(rootTable: string): FlatBuffer {
    const path: Path = { parent: null, step: 'root' };
    if (this.bytes.size < 8)
      throw this.malformed(
        'is too short for a FlatBuffer',
        { at: 0, path },
        `${this.bytes.size} bytes`,
        'at least 8',
      );
    const root = this.table(rootTable, this.follow({ at: 0, path }), null);
    return { root, unknown: this.unknown, end: this.end };
  }

  private malformed(
    summary: string,
    { at, path }: Place,
    found: string,
    expected: string,
  ): AppError {
    return new AppError('MALFORMED', summary, {
      file: this.bytes.source.path,
      field: textOf(path),
      offset: at,
      found,
      expected,
    });
  }

  /** The place that the offset stored at a place leads to: always forward. */
  private follow({ at, path }: Place): Place {
    const offset = this.bytes.uint32(at);
    const target = at + offset;
    if (offset < 4 || target + 4 > this.bytes.size)
      throw this.malformed(
        `an offset leads out of the file${this.cutOff(target + 4)}`,
        { at, path },
        String(offset),
        `4 to ${this.bytes.size - at - 4}`,
      );
    if (target % 4 !== 0)
      throw this.malformed('is not aligned', { at, path }, `byte ${target}`, 'a multiple of 4');
    return { at: target, path };
  }

  private cutOff(needed: number): string {
    return cutOff(needed, this.bytes.size);
  }

  /** Account for bytes of structure: distinct ones cannot be more than the file has. */
  private claim(start: number, length: number, place: Place): void {
    this.structure += length;
    this.end = Math.max(this.end, start + length);
    if (this.structure <= this.bytes.size) return;
    throw this.malformed(
      'structures overlap',
      place,
      `${this.structure} bytes of them`,
      `at most ${this.bytes.size}`,
    );
  }

  private once<T extends TableNode | VectorNode | TablesNode>(
    kind: string,
    at: number,
    make: () => T,
  ): T {
    const key = `${kind}@${at}`;
    const known = this.known.get(key);
    // Keys tell the kinds apart.
    if (known !== undefined) return known as T;
    const made = make();
    this.known.set(key, made);
    return made;
  }

  private table(table: string, place: Place, path: Path | null): TableNode {
    return this.once(table, place.at, () => {
      if (++this.tables > MAX_TABLES)
        throw new AppError('LIMIT', 'has too many tables', {
          file: this.bytes.source.path,
          field: textOf(place.path),
          offset: place.at,
          found: `over ${MAX_TABLES}`,
          expected: `at most ${MAX_TABLES}`,
        });
      const { vtable, entries, size } = this.vtable(place);
      this.claim(place.at, size, place);
      const fields: (FieldValue | undefined)[] = [];
      const known = fieldsOf(table);
      for (const [id, field] of known.slice(0, entries).entries()) {
        const offset = this.bytes.uint16(vtable + 4 + 2 * id);
        if (field === undefined) {
          if (offset !== 0) this.foreignField(table, id, path);
          continue;
        }
        const step: Path = { parent: path, step: `.${field.name}` };
        fields.push(
          offset === 0
            ? undefined
            : this.field(field, fields, offset, size, { at: place.at, path: step }),
        );
      }
      this.fieldsBeyond(table, known.length, vtable, entries, path);
      return { kind: 'table', table, fields };
    });
  }

  /**
   * Note the first field of a vtable that the schema does not have. Thousands of tables may share a
   * vtable of thousands of entries: it is looked through once.
   */
  private fieldsBeyond(
    table: string,
    from: number,
    vtable: number,
    entries: number,
    path: Path | null,
  ): void {
    const key = `${table}@${vtable}`;
    if (entries <= from || this.searched.has(key)) return;
    this.searched.add(key);
    for (let id = from; id < entries; id++) {
      if (this.bytes.uint16(vtable + 4 + 2 * id) === 0) continue;
      return this.foreignField(table, id, path);
    }
  }

  private foreignField(table: string, id: number, path: Path | null): void {
    this.foreign({ parent: path, step: `.field ${id} of ${table}` }, 'a field of a newer schema');
  }

  private foreign(path: Path, what: string): void {
    this.unknown.push({ field: textOf(path), what });
  }

  /** The vtable of a table: where it is, how many fields it has, and how long the table is. */
  private vtable(place: Place): { vtable: number; entries: number; size: number } {
    const { at } = place;
    const vtable = at - this.bytes.int32(at);
    if (vtable < 0 || vtable + 4 > this.bytes.size || vtable % 2 !== 0)
      throw this.malformed(
        `a vtable lies out of the file or is not aligned${this.cutOff(vtable + 4)}`,
        place,
        `byte ${vtable}`,
        `an even byte up to ${this.bytes.size - 4}`,
      );
    const length = this.bytes.uint16(vtable);
    if (length < 4 || length % 2 !== 0 || vtable + length > this.bytes.size)
      throw this.malformed(
        `a vtable has a wrong length${this.cutOff(vtable + length)}`,
        { ...place, at: vtable },
        `${length} bytes`,
        `an even number from 4 to ${this.bytes.size - vtable}`,
      );
    const size = this.bytes.uint16(vtable + 2);
    if (size < 4 || at + size > this.bytes.size)
      throw this.malformed(
        `a table has a wrong length${this.cutOff(at + size)}`,
        place,
        `${size} bytes`,
        `4 to ${this.bytes.size - at}`,
      );
    if (!this.vtables.has(vtable)) {
      this.vtables.add(vtable);
      this.claim(vtable, length, place);
    }
    return { vtable, entries: (length - 4) / 2, size };
  }

  private field(
    field: Field,
    before: readonly (FieldValue | undefined)[],
    offset: number,
    size: number,
    table: Place,
  ): FieldValue | undefined {
    const { type } = field;
    const width = type.kind === 'scalar' ? SCALAR_BYTES[type.scalar] : 4;
    const place: Place = { at: table.at + offset, path: table.path };
    if (offset < 4 || offset + width > size)
      throw this.malformed(
        'a field lies out of its table',
        place,
        `${offset} to ${offset + width}`,
        `4 to ${size}`,
      );
    if (place.at % width !== 0)
      throw this.malformed('is not aligned', place, `byte ${place.at}`, `a multiple of ${width}`);
    switch (type.kind) {
      case 'scalar':
        return this.scalar(type.scalar, place.at);
      case 'string':
        return this.vector('uint8', this.follow(place), true);
      case 'vector':
        return this.vector(type.scalar, this.follow(place), false);
      case 'table':
        return this.table(type.table, this.follow(place), place.path);
      case 'tables':
        return this.tableVector(type.table, this.follow(place));
      case 'union': {
        const member = Number(before[field.id - 1] ?? 0);
        const table = type.members[member];
        const target = this.follow(place);
        if (table !== undefined && table !== 'NONE') return this.table(table, target, place.path);
        this.foreign(place.path!, `a member ${member} of its union`);
        return undefined;
      }
    }
  }

  private scalar(scalar: ScalarType, at: number): number | bigint {
    return scalar === 'bool' ? this.bytes.uint8(at) : this.bytes[scalar](at);
  }

  private vector(scalar: ScalarType, place: Place, isString: boolean): VectorNode {
    return this.once(isString ? 'string' : `[${scalar}]`, place.at, () => {
      const width = SCALAR_BYTES[scalar];
      const count = this.count(place, width, isString ? 1 : 0);
      const [offset, length] = [place.at + 4, count * width];
      if (isString && this.bytes.uint8(offset + length) !== 0)
        throw this.malformed(
          'a string does not end with a zero',
          place,
          `byte ${this.bytes.uint8(offset + length)}`,
          '0',
        );
      return {
        kind: 'vector',
        scalar,
        isString,
        count,
        pieces: length === 0 ? [] : [{ kind: 'copy', file: 0, offset, length }],
        alignment: Math.max(width, alignmentOf(offset)),
      };
    });
  }

  private tableVector(table: string, place: Place): TablesNode {
    return this.once(`[${table}]`, place.at, () => {
      const count = this.count(place, 4, 0);
      const tables: TableNode[] = [];
      for (let index = 0; index < count; index++) {
        const path: Path = { parent: place.path, step: `[${index}]` };
        tables.push(this.table(table, this.follow({ at: place.at + 4 + 4 * index, path }), path));
      }
      return { kind: 'tables', tables };
    });
  }

  /** The number of elements of a vector, all of which the file has. */
  private count(place: Place, width: number, terminator: number): number {
    const count = this.bytes.uint32(place.at);
    const room = this.bytes.size - place.at - 4 - terminator;
    if (count * width > room)
      throw this.malformed(
        `is longer than the file${this.cutOff(place.at + 4 + count * width + terminator)}`,
        place,
        `${count} elements of ${width} bytes`,
        `at most ${Math.max(0, Math.floor(room / width))}`,
      );
    this.claim(place.at, 4 + count * width + terminator, place);
    return count;
  }
}

/** Vectors are kept as well aligned as they are, up to what LiteRT asks of tensors' values. */
export const BUFFER_ALIGNMENT = 16;

function alignmentOf(offset: number): number {
  let alignment = BUFFER_ALIGNMENT;
  while (offset % alignment !== 0) alignment /= 2;
  return alignment;
}
