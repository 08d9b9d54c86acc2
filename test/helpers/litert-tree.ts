import type { FieldValue, TableNode } from '../../electron/engine/formats/litert/read/nodes.ts';
import { PagedBytes } from '../../electron/engine/formats/litert/read/paged-bytes.ts';
import { readFlatBuffer } from '../../electron/engine/formats/litert/read/read-flatbuffer.ts';
import { fieldsOf } from '../../electron/engine/formats/litert/read/schema.ts';
import { bytesOf, textOf, valuesOf } from '../../electron/engine/formats/litert/read/values.ts';
import { FileSource } from '../../electron/engine/source.ts';

/** A .tflite file as plain objects: every field that is present, vectors by their values, long ones by their bytes. */
export type Plain = { readonly [field: string]: PlainValue };
export type PlainValue = number | string | bigint | readonly number[] | Plain | readonly Plain[];

const LONG = 64;

export function plainModel(file: string): Plain {
  const source = FileSource.open(file);
  const bytes = new PagedBytes(source);
  try {
    return plainTable(bytes, readFlatBuffer(bytes, 'Model').root);
  } finally {
    source.close();
  }
}

function plainTable(source: PagedBytes, node: TableNode): Plain {
  const entries: [string, PlainValue][] = [['(table)', node.table]];
  for (const [id, value] of node.fields.entries())
    if (value !== undefined)
      entries.push([fieldsOf(node.table)[id]!.name, plainValue(source, value)]);
  return Object.fromEntries(entries);
}

function plainValue(source: PagedBytes, value: FieldValue): PlainValue {
  if (typeof value !== 'object') return value;
  if (value.kind === 'table') return plainTable(source, value);
  if (value.kind === 'tables') return value.tables.map((table) => plainTable(source, table));
  if (value.isString) return textOf(source, value);
  if (value.count > LONG) return Buffer.from(bytesOf(source, value)).toString('base64');
  return valuesOf(source, value);
}

/** The tables of a list by name. */
export function list(node: Plain, name: string): readonly Plain[] {
  return (node[name] ?? []) as readonly Plain[];
}
