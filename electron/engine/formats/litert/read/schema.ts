import schema from './schema.json';

/** A scalar of LiteRT's schema, by the width and kind that it is stored with. */
export type ScalarType = keyof typeof SCALAR_BYTES;

export const SCALAR_BYTES = {
  bool: 1,
  int8: 1,
  uint8: 1,
  int16: 2,
  uint16: 2,
  int32: 4,
  uint32: 4,
  int64: 8,
  uint64: 8,
  float32: 4,
  float64: 8,
} as const;

/** What a field of a table holds. */
export type FieldType =
  | { readonly kind: 'scalar'; readonly scalar: ScalarType }
  | { readonly kind: 'string' }
  | { readonly kind: 'table'; readonly table: string }
  | { readonly kind: 'union'; readonly members: readonly string[] }
  | { readonly kind: 'vector'; readonly scalar: ScalarType }
  | { readonly kind: 'tables'; readonly table: string };

export interface Field {
  readonly id: number;
  readonly name: string;
  readonly type: FieldType;
  /** What an absent scalar means; 0 for other fields. */
  readonly default: number;
}

type Row = readonly (string | number | boolean)[];

/** The facts of the schema that tensorflow 2.21 knows (build/litert-schema.py). */
const tables: ReadonlyMap<string, readonly Field[]> = new Map(
  Object.entries(schema.tables as Readonly<Record<string, readonly Row[]>>).map(([name, rows]) => [
    name,
    rows.map(([field, type, fallback], id) => ({
      id,
      name: String(field),
      type: fieldType(String(type)),
      default: Number(fallback ?? 0),
    })),
  ]),
);

const byName: ReadonlyMap<string, ReadonlyMap<string, Field>> = new Map(
  [...tables].map(([name, fields]) => [name, new Map(fields.map((field) => [field.name, field]))]),
);

function fieldType(text: string): FieldType {
  if (text.startsWith('union ')) {
    const unions: Readonly<Record<string, readonly string[]>> = schema.unions;
    return { kind: 'union', members: unions[text.slice(6)]! };
  }
  if (text === 'string') return { kind: 'string' };
  const inner = text.startsWith('[') ? text.slice(1, -1) : text;
  const isVector = inner !== text;
  if (isScalar(inner)) return { kind: isVector ? 'vector' : 'scalar', scalar: inner };
  return { kind: isVector ? 'tables' : 'table', table: inner };
}

function isScalar(name: string): name is ScalarType {
  return Object.hasOwn(SCALAR_BYTES, name);
}

/** A table's fields, by id. */
export function fieldsOf(table: string): readonly Field[] {
  const fields = tables.get(table);
  if (fields === undefined) throw new RangeError(`the schema has no table ${table}`);
  return fields;
}

export function fieldOf(table: string, name: string): Field {
  const field = byName.get(table)?.get(name);
  if (field === undefined) throw new RangeError(`the schema has no field ${table}.${name}`);
  return field;
}

/** Element types by TensorType's number. */
export const TENSOR_TYPES: readonly string[] = schema.enums.TensorType;

/** Operators by BuiltinOperator's number. */
export const BUILTIN_OPERATORS: readonly string[] = schema.enums.BuiltinOperator;

/** The number of a table in a union. */
export function unionMember(union: keyof typeof schema.unions, table: string): number {
  return schema.unions[union].indexOf(table);
}
