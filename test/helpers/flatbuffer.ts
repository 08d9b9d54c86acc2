/**
 * A FlatBuffers writer for tests, which knows nothing of the product's: fields by number, everything
 * written forward, and the place of each labelled thing kept, so that a test can damage it.
 */
export type FlatField =
  | {
      readonly scalar: 'u8' | 'i8' | 'i32' | 'u32' | 'i64' | 'u64' | 'f32';
      readonly value: number | bigint;
    }
  | FlatObject;

export type FlatObject =
  | { readonly table: Readonly<Record<number, FlatField>>; readonly label?: string }
  | { readonly tables: readonly FlatObject[]; readonly label?: string }
  | {
      readonly bytes: Uint8Array;
      readonly width: number;
      readonly align?: number;
      readonly label?: string;
    }
  | { readonly text: string; readonly label?: string };

const WIDTHS = { u8: 1, i8: 1, i32: 4, u32: 4, i64: 8, u64: 8, f32: 4 } as const;

export interface Flat {
  readonly bytes: Uint8Array;
  /** Where labelled tables, vectors and strings begin; a table's vtable is `label.vtable`. */
  readonly at: ReadonlyMap<string, number>;
}

export function u8(value: number): FlatField {
  return { scalar: 'u8', value };
}
export function i8(value: number): FlatField {
  return { scalar: 'i8', value };
}
export function i32(value: number): FlatField {
  return { scalar: 'i32', value };
}
export function u32(value: number): FlatField {
  return { scalar: 'u32', value };
}
export function u64(value: bigint): FlatField {
  return { scalar: 'u64', value };
}
export function text(value: string, label?: string): FlatObject {
  return { text: value, ...(label === undefined ? {} : { label }) };
}
export function table(fields: Readonly<Record<number, FlatField>>, label?: string): FlatObject {
  return { table: fields, ...(label === undefined ? {} : { label }) };
}
export function tables(items: readonly FlatObject[], label?: string): FlatObject {
  return { tables: items, ...(label === undefined ? {} : { label }) };
}
export function ints(values: readonly number[], label?: string): FlatObject {
  return raw(Int32Array.from(values), label);
}
export function raw(
  values: Uint8Array | Int32Array | Float32Array | BigInt64Array | Uint16Array,
  label?: string,
  align?: number,
): FlatObject {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return {
    bytes,
    width: values.BYTES_PER_ELEMENT,
    ...(align === undefined ? {} : { align }),
    ...(label === undefined ? {} : { label }),
  };
}

/** A whole file with its identifier. An object given twice at the same depth is written once and shared. */
export function flatBuffer(root: FlatObject, identifier = 'TFL3'): Flat {
  const writer = new Writer();
  writer.reserve(8);
  for (const [index, character] of [...identifier].entries())
    writer.bytes[4 + index] = character.charCodeAt(0);
  writer.link(0, root);
  writer.finish();
  return { bytes: Uint8Array.from(writer.bytes), at: writer.at };
}

class Writer {
  readonly bytes: number[] = [];
  readonly at = new Map<string, number>();
  private pending = new Map<FlatObject, number[]>();

  reserve(count: number): number {
    const start = this.bytes.length;
    for (let index = 0; index < count; index++) this.bytes.push(0);
    return start;
  }

  /** Have an object written behind all that is there, and its distance put into the four bytes at a place. */
  link(from: number, object: FlatObject): void {
    const places = this.pending.get(object) ?? [];
    places.push(from);
    this.pending.set(object, places);
  }

  /** Write what is linked, level by level, so that offsets lead forward: objects of one level are shared. */
  finish(): void {
    while (this.pending.size > 0) {
      const level = this.pending;
      this.pending = new Map();
      for (const [object, places] of level) {
        const target = this.object(object);
        for (const from of places) this.put(from, target - from, 4);
      }
    }
  }

  private put(at: number, value: number | bigint, width: number): void {
    let rest = BigInt.asUintN(64, BigInt(value));
    for (let index = 0; index < width; index++, rest >>= 8n)
      this.bytes[at + index] = Number(rest & 0xffn);
  }

  private align(multiple: number, ahead = 0): void {
    while ((this.bytes.length + ahead) % multiple !== 0) this.bytes.push(0);
  }

  private object(object: FlatObject): number {
    if ('table' in object) return this.table(object.table, object.label);
    if ('tables' in object) {
      this.align(4);
      const start = this.reserve(4 + 4 * object.tables.length);
      this.mark(object.label, start);
      this.put(start, object.tables.length, 4);
      object.tables.forEach((item, index) => this.link(start + 4 + 4 * index, item));
      return start;
    }
    if ('text' in object) {
      const encoded = new TextEncoder().encode(object.text);
      this.align(4);
      const start = this.vector(encoded, encoded.length, object.label);
      this.bytes.push(0);
      return start;
    }
    this.align(Math.max(4, object.width, object.align ?? 1), 4);
    return this.vector(object.bytes, object.bytes.length / object.width, object.label);
  }

  private vector(bytes: Uint8Array, count: number, label: string | undefined): number {
    const start = this.reserve(4);
    this.mark(label, start);
    this.put(start, count, 4);
    for (const byte of bytes) this.bytes.push(byte);
    return start;
  }

  private mark(label: string | undefined, at: number): void {
    if (label !== undefined) this.at.set(label, at);
  }

  private table(fields: Readonly<Record<number, FlatField>>, label: string | undefined): number {
    const entries = Object.entries(fields).map(([id, field]) => ({ id: Number(id), field }));
    const slots = entries.reduce((most, { id }) => Math.max(most, id + 1), 0);
    this.align(2);
    const vtable = this.reserve(4 + 2 * slots);
    this.align(8);
    const start = this.reserve(4);
    for (const { id, field } of entries) {
      const width = 'scalar' in field ? WIDTHS[field.scalar] : 4;
      this.align(width);
      this.put(vtable + 4 + 2 * id, this.reserve(width) - start, 2);
    }
    this.put(vtable, 4 + 2 * slots, 2);
    this.put(vtable + 2, this.bytes.length - start, 2);
    this.put(start, start - vtable, 4);
    this.mark(label, start);
    this.mark(label === undefined ? undefined : `${label}.vtable`, vtable);
    for (const { id, field } of entries) {
      const place =
        start + (this.bytes[vtable + 4 + 2 * id]! | (this.bytes[vtable + 5 + 2 * id]! << 8));
      if (!('scalar' in field)) this.link(place, field);
      else if (field.scalar === 'f32')
        this.put(place, new Uint32Array(Float32Array.of(Number(field.value)).buffer)[0]!, 4);
      else this.put(place, field.value, WIDTHS[field.scalar]);
    }
    return start;
  }
}
