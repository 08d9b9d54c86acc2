import { dtypeOf, type DtypeName } from '../../../../../shared/dtypes.ts';
import { AppError } from '../../../../../shared/errors.ts';
import type { FileSource } from '../../../source.ts';
import { cutOff, endsEarly } from '../../ends-early.ts';
import { ELEMENT_TYPES } from './element-types.ts';
import { JsonReader, type JsonProblem } from '../../../../../shared/json-reader.ts';

/** Bytes of the little-endian header length that a file begins with. */
export const LENGTH_BYTES = 8;

/** The reference refuses longer headers (safetensors, MAX_HEADER_SIZE), so that none exhausts the reader's memory. */
export const MAX_HEADER_BYTES = 100_000_000;

/** No framework has tensors of more axes than this (PyTorch and NumPy stop at 64). */
const MAX_RANK = 64;

export const METADATA_KEY = '__metadata__';

/** One tensor as a header describes it. */
export interface HeaderTensor {
  readonly name: string;
  readonly dtype: DtypeName;
  readonly shape: readonly number[];
  readonly elements: number;
  /** Of its bytes, from the start of the file. */
  readonly begin: number;
  readonly end: number;
  /** Members that the format does not know, as JSON: `,"key":value` each, kept on export. */
  readonly extra: string;
}

/** What one safetensors file says of itself. */
export interface Header {
  readonly source: FileSource;
  readonly metadata: ReadonlyMap<string, string>;
  /** In the order of their bytes. */
  readonly tensors: readonly HeaderTensor[];
}

/**
 * Read a file's header, and nothing behind it. The tensors' ranges are held against the file: they
 * fill it from the header to its end without gap or overlap, each as long as its shape and dtype say.
 * @throws AppError MALFORMED or LIMIT naming the tensor, what was found and what was expected
 */
export function readHeader(source: FileSource): Header {
  const length = headerLength(source);
  const dataStart = LENGTH_BYTES + length;
  const reader: JsonReader = new JsonReader(headerText(source, length), (problem) =>
    failJson(source.label, problem, LENGTH_BYTES, reader.text),
  );
  let metadata: ReadonlyMap<string, string> = new Map();
  const tensors: HeaderTensor[] = [];
  reader.object((name) => {
    if (name === METADATA_KEY) metadata = readMetadata(reader);
    else tensors.push(readTensor(source, reader, name, dataStart));
  });
  reader.end();
  tensors.sort((a, b) => a.begin - b.begin || a.end - b.end);
  checkRanges(source, tensors, dataStart);
  return { source, metadata, tensors };
}

function headerLength(source: FileSource): number {
  const problem = (code: 'MALFORMED' | 'LIMIT', summary: string, found: string, expected: string) =>
    new AppError(code, summary, {
      file: source.label,
      field: 'header length',
      offset: 0,
      found,
      expected,
    });
  if (source.size < LENGTH_BYTES)
    throw problem(
      'MALFORMED',
      `is too short for a safetensors file${cutOff(LENGTH_BYTES, source.size)}`,
      `${source.size} bytes`,
      `at least ${LENGTH_BYTES}`,
    );
  const head = source.read(0, LENGTH_BYTES);
  const length = new DataView(head.buffer).getBigUint64(0, true);
  const room = source.size - LENGTH_BYTES;
  if (length > BigInt(room))
    throw problem(
      'MALFORMED',
      `the header would end past the file${length > BigInt(MAX_HEADER_BYTES) ? '' : cutOff(LENGTH_BYTES + Number(length), source.size)}`,
      `${length} bytes`,
      `at most ${room}`,
    );
  if (length > BigInt(MAX_HEADER_BYTES))
    throw problem(
      'LIMIT',
      'the header is too long',
      `${length} bytes`,
      `at most ${MAX_HEADER_BYTES}`,
    );
  if (length === 0n) throw problem('MALFORMED', 'there is no header', '0 bytes', 'a JSON object');
  return Number(length);
}

function headerText(source: FileSource, length: number): string {
  const bytes = source.read(LENGTH_BYTES, length);
  const problem = (summary: string, found: string, expected: string, cause?: unknown): AppError =>
    new AppError(
      'MALFORMED',
      summary,
      { file: source.label, field: 'header', offset: LENGTH_BYTES, found, expected },
      cause,
    );
  if (bytes[0] !== 0x7b)
    throw problem(
      'the header does not begin as it must',
      `0x${bytes[0]!.toString(16).padStart(2, '0')}`,
      "'{'",
    );
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw problem('the header is not text', 'bytes that are not UTF-8', 'UTF-8', error);
  }
}

/** A problem of a JSON text as an error of its file. */
export function failJson(file: string, problem: JsonProblem, start: number, text: string): never {
  const { summary, path, at, found, expected } = problem;
  throw new AppError('MALFORMED', summary, {
    file,
    field: path.length === 0 ? 'header' : path.join('.'),
    offset: start + Buffer.byteLength(text.slice(0, at)),
    found,
    expected,
  });
}

function readMetadata(reader: JsonReader): ReadonlyMap<string, string> {
  const metadata = new Map<string, string>();
  // The reference reads null as no metadata.
  if (!reader.null()) reader.object((key) => metadata.set(key, reader.string()));
  return metadata;
}

function readTensor(
  source: FileSource,
  reader: JsonReader,
  name: string,
  dataStart: number,
): HeaderTensor {
  let dtype: DtypeName | undefined;
  let shape: number[] | undefined;
  let offsets: number[] | undefined;
  let extra = '';
  reader.object((key) => {
    if (key === 'dtype') dtype = readElementType(reader);
    else if (key === 'shape') shape = readIntegers(reader, MAX_RANK);
    else if (key === 'data_offsets') offsets = readIntegers(reader, 2);
    else extra += `,${JSON.stringify(key)}:${reader.skip()}`;
  });
  const bad = (field: string, summary: string, found: string, expected: string): AppError =>
    malformed(source, `${name}.${field}`, summary, found, expected);
  if (dtype === undefined) throw bad('dtype', 'is missing', 'nothing', 'an element type');
  if (shape === undefined) throw bad('shape', 'is missing', 'nothing', 'an array of sizes');
  const [begin, end] = offsets ?? [];
  if (begin === undefined || end === undefined)
    throw bad('data_offsets', 'is missing or too short', `${offsets?.length ?? 0} numbers`, '2');
  if (begin > end)
    throw bad('data_offsets', 'begin after they end', `${begin}, ${end}`, 'in order');
  const elements = product(shape);
  const bytes = (elements * dtypeOf(dtype).bits) / 8;
  if (!Number.isSafeInteger(elements) || bytes > Number.MAX_SAFE_INTEGER)
    throw bad('shape', 'has too many elements', shape.join(' x '), 'a product below 2^53');
  if (bytes !== end - begin)
    throw bad(
      'data_offsets',
      'are not as long as the shape and dtype say',
      `${end - begin} bytes`,
      `${bytes} for ${dtype} of shape [${shape.join(', ')}]`,
    );
  return { name, dtype, shape, elements, begin: dataStart + begin, end: dataStart + end, extra };
}

function readElementType(reader: JsonReader): DtypeName {
  const name = reader.string();
  const dtype = ELEMENT_TYPES.get(name);
  if (dtype !== undefined) return dtype;
  return reader.refuse('is no element type', name, [...ELEMENT_TYPES.keys()].join(', '));
}

function readIntegers(reader: JsonReader, most: number): number[] {
  const values: number[] = [];
  reader.array((index) => {
    values.push(reader.integer());
    if (index >= most) reader.refuse('holds too many numbers', `over ${most}`, `at most ${most}`);
  });
  return values;
}

/** The number of elements; not a safe integer where it is too large for one. */
function product(shape: readonly number[]): number {
  // Zero first: a tensor without elements may have other axes of any size.
  if (shape.includes(0)) return 0;
  return shape.reduce((total, size) => total * size, 1);
}

/** Ranges in order of their bytes fill the file from the header's end to its own. */
function checkRanges(
  source: FileSource,
  tensors: readonly HeaderTensor[],
  dataStart: number,
): void {
  let at = dataStart;
  let before = 'the header';
  for (const { name, begin, end } of tensors) {
    if (begin < at)
      throw malformed(
        source,
        `${name}.data_offsets`,
        `overlap with those of ${before}`,
        String(begin - dataStart),
        `at least ${at - dataStart}`,
      );
    if (begin > at)
      throw malformed(
        source,
        `${name}.data_offsets`,
        `leave a hole behind ${before}`,
        String(begin - dataStart),
        String(at - dataStart),
      );
    at = end;
    before = name;
  }
  if (at > source.size)
    throw new AppError('MALFORMED', endsEarly(at, source.size), {
      file: source.label,
      field: `${before}.data_offsets`,
    });
  if (at < source.size)
    throw new AppError('MALFORMED', `has bytes that no tensor owns behind ${before}`, {
      file: source.label,
      field: 'data',
      offset: at,
      found: `${source.size - at} bytes more`,
      expected: 'the end of the file',
    });
}

function malformed(
  source: FileSource,
  field: string,
  summary: string,
  found: string,
  expected: string,
): AppError {
  return new AppError('MALFORMED', summary, { file: source.label, field, found, expected });
}
