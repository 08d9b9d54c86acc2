/** A tensor of a test's file. */
export interface TestTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** The bytes of a file: a header as text, however wrong, and what follows it. */
export function rawFile(header: string, data: Uint8Array = new Uint8Array(0)): Uint8Array {
  const text = Buffer.from(header);
  const bytes = new Uint8Array(8 + text.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  bytes.set(data, 8 + text.length);
  return bytes;
}

/** A well-formed file: its tensors back to back in the order given. */
export function safetensorsFile(
  tensors: Readonly<Record<string, TestTensor>>,
  metadata?: Readonly<Record<string, string>>,
): Uint8Array {
  const header: [string, unknown][] = metadata === undefined ? [] : [['__metadata__', metadata]];
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const [name, { dtype, shape, bytes }] of Object.entries(tensors)) {
    header.push([name, { dtype, shape, data_offsets: [at, at + bytes.length] }]);
    parts.push(bytes);
    at += bytes.length;
  }
  // By fromEntries, so that a tensor may be called __proto__.
  const text = JSON.stringify(Object.fromEntries(header));
  return rawFile(text.padEnd(Math.ceil(text.length / 8) * 8), Buffer.concat(parts));
}

/** A float32 tensor of seeded values, each in (-1, 1). */
export function floats(shape: readonly number[], seed = 1): TestTensor {
  const values = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, index) =>
    Math.sin((index + 1) * 12.9898 + seed * 78.233),
  );
  return { dtype: 'F32', shape, bytes: new Uint8Array(values.buffer) };
}

/** What a file's header says, and its data. */
export function parseFile(bytes: Uint8Array): {
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: Readonly<Record<string, TestTensor & { readonly begin: number }>>;
  readonly dataStart: number;
} {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const dataStart = 8 + Number(view.getBigUint64(0, true));
  const { __metadata__: metadata = {}, ...entries } = JSON.parse(
    Buffer.from(bytes.subarray(8, dataStart)).toString('utf8'),
  ) as Record<string, never> & { __metadata__?: Record<string, string> };
  const tensors = Object.entries<{
    dtype: string;
    shape: number[];
    data_offsets: [number, number];
  }>(entries).map(
    ([
      name,
      {
        dtype,
        shape,
        data_offsets: [begin, end],
      },
    ]) => [
      name,
      {
        dtype,
        shape,
        begin,
        bytes: Uint8Array.from(bytes.subarray(dataStart + begin, dataStart + end)),
      },
    ],
  );
  return { metadata, tensors: Object.fromEntries(tensors) as never, dataStart };
}

export function float32Values({ bytes }: TestTensor): Float32Array {
  return new Float32Array(bytes.slice().buffer);
}
