import * as fs from 'node:fs';
import * as path from 'node:path';
import { AppError } from '../../../../shared/errors.ts';
import { FileSource, reasonOf } from '../../source.ts';
import { JsonReader } from './json-reader.ts';
import { failJson, MAX_HEADER_BYTES, readHeader, type Header } from './read-header.ts';

/** Every shard stays open, and systems allow a process 1024 open files at times. */
const MAX_SHARDS = 512;

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
  const shards: Header[] = [];
  const opened: FileSource[] = [];
  try {
    for (const name of names) {
      const shard = openShard(source, name);
      opened.push(shard);
      shards.push(readHeader(shard));
    }
    checkPlaces(source, weightMap, names, shards);
    return { source, metadata, extra, shards };
  } catch (error) {
    for (const shard of opened) shard.close();
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
      reader.object((tensor) => found.set(tensor, checkedName(reader, reader.string())));
      weightMap = found;
    } else if (key === 'metadata') reader.object((name) => metadata.set(name, reader.skip()));
    else extra += `,${JSON.stringify(key)}:${reader.skip()}`;
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

/** A shard is a plain name in the folder of its index. */
function checkedName(reader: JsonReader, name: string): string {
  const isPlain =
    name !== '' && name !== '.' && name !== '..' && !/[/\\\u0000]|^[A-Za-z]:/.test(name);
  return isPlain
    ? name
    : reader.refuse('names a shard outside of its folder', name, 'a plain file name');
}

function openShard(index: FileSource, name: string): FileSource {
  const file = path.join(path.dirname(index.path), name);
  const problem = (summary: string, found: string, expected: string): AppError =>
    new AppError('EXTERNAL_DATA', summary, { file: index.path, field: name, found, expected });
  let stat: fs.Stats;
  try {
    stat = fs.lstatSync(file);
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    const summary = isMissing ? 'a shard is missing' : 'a shard cannot be opened';
    throw problem(summary, reasonOf(error), 'a file beside the index');
  }
  if (stat.isSymbolicLink() && !isHubLink(file))
    throw problem('a shard is a link', 'a symbolic link', 'a regular file beside the index');
  const shard = FileSource.open(file);
  const { ino, dev } = index.identity;
  if (shard.identity.ino !== ino || shard.identity.dev !== dev) return shard;
  shard.close();
  throw problem('a shard is the index itself', name, 'a safetensors file');
}

/**
 * Whether a link is one that huggingface_hub makes in its cache: snapshots hold links to the blobs
 * beside them, named by their hashes, and nothing else leads out of a folder by a link.
 */
function isHubLink(file: string): boolean {
  const [, , snapshots, model] = path.resolve(file).split(path.sep).reverse();
  if (snapshots !== 'snapshots' || model === undefined || !/^models--./.test(model)) return false;
  const target = fs.readlinkSync(file).split(path.sep);
  const isBlob = target.length === 4 && target.slice(0, 3).join('/') === '../../blobs';
  if (!isBlob || !/^[0-9a-f]{40}(?:[0-9a-f]{24})?$/.test(target[3]!)) return false;
  const blobs = path.join(path.dirname(file), '..', '..', 'blobs');
  return [blobs, path.join(blobs, target[3]!)].every(
    (part) => fs.lstatSync(part, { throwIfNoEntry: false })?.isSymbolicLink() === false,
  );
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
