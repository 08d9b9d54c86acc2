import { AppError } from '../../../../../shared/errors.ts';
import type { Piece } from '../../../export/layout.ts';
import { member } from './write-header.ts';

/** The name of a shard beside its index, as Hugging Face names them: model-00001-of-00002.safetensors. */
export function shardName(targetName: string, shard: number, count: number): string {
  const match = /^(.+)\.safetensors\.index(\.[\w.-]+)?\.json$/i.exec(targetName);
  if (match === null)
    throw new AppError('TARGET', 'is no name for a set of shards; choose another', {
      file: targetName,
      found: targetName,
      expected: 'a name that ends with .safetensors.index.json, or with .safetensors for one file',
    });
  const digits = (value: number): string => String(value).padStart(5, '0');
  // A variant stands before the number, as diffusers writes it.
  const stem = `${match[1]}${match[2] ?? ''}`;
  return `${stem}-${digits(shard + 1)}-of-${digits(count)}.safetensors`;
}

/**
 * The index of a sharded set.
 * @param metadata members of `metadata` as JSON; total_size is set anew
 * @param places the shard of each tensor
 */
export function indexPiece(
  metadata: ReadonlyMap<string, string>,
  totalSize: number,
  places: ReadonlyMap<string, string>,
  extra: string,
): Piece {
  const about = new Map([...metadata, ['total_size', String(totalSize)]]);
  const lines = (members: readonly string[]): string =>
    members.length === 0 ? '{}' : `{\n    ${members.join(',\n    ')}\n  }`;
  const names = [...places.keys()].sort();
  const text = `{
  "metadata": ${lines([...about].map(([key, value]) => member(key, value)))},
  "weight_map": ${lines(names.map((name) => member(name, JSON.stringify(places.get(name)))))}${extra}
}
`;
  return { kind: 'bytes', bytes: Buffer.from(text) };
}
