import { AppError } from '../../../../../shared/errors.ts';
import type { FileSource } from '../../../source.ts';
import { SideFiles } from '../../side-files.ts';
import { JsonReader } from '../../../../../shared/json-reader.ts';
import { failJson, MAX_HEADER_BYTES, readHeader, type Header } from './read-header.ts';

/** No checkpoint is near this; each shard costs a header that is kept in memory. */
const MAX_SHARDS = 65_536;

/** What an index says: where each tensor is, and what else is written there. */
export interface ShardIndex {
  readonly source: FileSource;
  /** Members of `metadata`, by key, as JSON. */
  readonly metadata: ReadonlyMap<string, string>;
  /** Members beside `metadata` and `weight_map`: `,"key":value` each, kept on export. */
  readonly extra: string;
  readonly shards: readonly Header[];
}

/**
 * Open a sharded set from its index, which lies beside its shards. Each tensor of the map must be in
 * the shard that it names, and no tensor in two. What shards hold besides is opened too, as
 * transformers loads it.
 * @throws AppError naming the shard or tensor; shards that were opened are closed again
 */
export function readIndex(source: FileSource): ShardIndex {
  const { weightMap, metadata, extra } = readMap(source);
  const names = [...new Set(weightMap.values())].sort();
  if (names.length > MAX_SHARDS)
    throw new AppError('LIMIT', 'has too many shards', {
      file: source.path,
      field: 'weight_map',
      found: `${names.length} files`,
      expected: `at most ${MAX_SHARDS}`,
    });
  const files = new SideFiles(source, 'a shard');
  const open = (name: string): FileSource =>
    files.open(
      name,
      (summary, found, expected) =>
        new AppError('EXTERNAL_DATA', summary, { file: source.path, field: name, found, expected }),
    );
  try {
    const shards = names.map((name) => readHeader(open(name)));
    checkPlaces(source, weightMap, names, shards);
    return { source, metadata, extra, shards };
  } catch (error) {
    files.close();
    throw error;
  }
}

interface MapParts {
  readonly weightMap: ReadonlyMap<string, string>;
  readonly metadata: ReadonlyMap<string, string>;
  readonly extra: string;
}

function readMap(source: FileSource): MapParts {
  if (source.size > MAX_HEADER_BYTES)
    throw new AppError('LIMIT', 'is too long for an index', {
      file: source.path,
      field: 'index',
      found: `${source.size} bytes`,
      expected: `at most ${MAX_HEADER_BYTES}`,
    });
  const reader: JsonReader = new JsonReader(indexText(source), (problem) =>
    failJson(source.path, problem, 0, reader.text),
  );
  let weightMap: Map<string, string> | null = null;
  const metadata = new Map<string, string>();
  let extra = '';
  reader.object((key) => {
    if (key === 'weight_map') {
      const found = new Map<string, string>();
      reader.object((tensor) => found.set(tensor, reader.string()));
      weightMap = found;
    } else if (key === 'metadata') {
      // Loaders take null as no metadata.
      if (!reader.null()) reader.object((name) => metadata.set(name, reader.skip()));
    } else extra += `,${JSON.stringify(key)}:${reader.skip()}`;
  });
  reader.end();
  if (weightMap === null)
    throw new AppError('MALFORMED', 'is no index of safetensors files', {
      file: source.path,
      field: 'weight_map',
      found: 'nothing',
      expected: 'an object of tensor names and file names',
    });
  return { weightMap, metadata, extra };
}

function indexText(source: FileSource): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(source.read(0, source.size));
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw new AppError(
      'MALFORMED',
      'the index is not text',
      { file: source.path, field: 'index', found: 'bytes that are not UTF-8', expected: 'UTF-8' },
      error,
    );
  }
}

function checkPlaces(
  source: FileSource,
  weightMap: ReadonlyMap<string, string>,
  names: readonly string[],
  shards: readonly Header[],
): void {
  const places = new Map<string, string>();
  const problem = (tensor: string, summary: string, found: string, expected: string): AppError =>
    new AppError('MALFORMED', summary, { file: source.path, field: tensor, found, expected });
  for (const [at, { tensors }] of shards.entries())
    for (const { name } of tensors) {
      const other = places.get(name);
      if (other !== undefined)
        throw problem(name, 'is in two shards', `${other} and ${names[at]!}`, 'one');
      places.set(name, names[at]!);
    }
  for (const [tensor, file] of weightMap) {
    const found = places.get(tensor);
    if (found !== file)
      throw problem(
        tensor,
        'is not in the shard that the index names',
        found === undefined ? `no such tensor in ${file}` : `in ${found}`,
        `in ${file}`,
      );
  }
}
