/** Protobuf by hand: for files that no encoder would write. */

export function varint(value: number | bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  do {
    bytes.push(Number(rest & 127n) | (rest > 127n ? 128 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return Uint8Array.from(bytes);
}

export function tag(field: number, wireType: number): Uint8Array {
  return varint(field * 8 + wireType);
}

export function concat(...parts: readonly (Uint8Array | readonly number[])[]): Uint8Array {
  return Buffer.concat(parts.map((part) => Uint8Array.from(part)));
}

/** A length-delimited field. */
export function message(
  field: number,
  ...parts: readonly (Uint8Array | readonly number[])[]
): Uint8Array {
  const body = concat(...parts);
  return concat(tag(field, 2), varint(body.length), body);
}

export function text(field: number, value: string): Uint8Array {
  return message(field, Buffer.from(value, 'utf8'));
}

export function integer(field: number, value: number | bigint): Uint8Array {
  return concat(tag(field, 0), varint(value));
}

/** The fields of a message, one level deep, as [number, whole field, payload]. Independent of the product's reader. */
export function splitFields(
  bytes: Uint8Array,
): { field: number; bytes: Uint8Array; payload: Uint8Array }[] {
  const fields: { field: number; bytes: Uint8Array; payload: Uint8Array }[] = [];
  let at = 0;
  const read = (): number => {
    let [value, scale] = [0, 1];
    for (;;) {
      const byte = bytes[at++]!;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
      scale *= 128;
    }
  };
  while (at < bytes.length) {
    const start = at;
    const key = read();
    let payload = at;
    if (key % 8 === 0) read();
    else if (key % 8 === 1) at += 8;
    else if (key % 8 === 5) at += 4;
    else {
      const length = read();
      payload = at;
      at += length;
    }
    fields.push({
      field: Math.floor(key / 8),
      bytes: bytes.subarray(start, at),
      payload: bytes.subarray(payload, at),
    });
  }
  return fields;
}
