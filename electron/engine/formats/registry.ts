import * as path from 'node:path';
import { AppError } from '../../../shared/errors.ts';
import { FileSource } from '../source.ts';
import type { FormatAdapter, OpenedModel } from './format.ts';
import { onnxAdapter } from './onnx/adapter.ts';

/** Every format there is. A new one is a folder beside the others and a line here. */
const adapters: readonly FormatAdapter[] = [onnxAdapter];

const HEAD_BYTES = 512;

/** Files that are often met under a model's name, by how they begin. */
const lookalikes: readonly { readonly what: string; readonly begins: RegExp }[] = [
  {
    what: 'a Git LFS pointer; fetch the real file with git lfs pull',
    begins: /^version https:\/\/git-lfs/,
  },
  { what: 'a web page', begins: /^\s*(<!doctype html|<html|<\?xml)/i },
  { what: 'a zip archive (PyTorch checkpoints are such)', begins: /^PK\u0003\u0004/ },
  { what: 'a GGUF file', begins: /^GGUF/ },
  { what: 'a gzip archive', begins: /^\u001f\u008b/ },
  { what: 'a pickle', begins: /^\u0080[\u0002-\u0005]/ },
  { what: 'an HDF5 file', begins: /^\u0089HDF/ },
];

/** Open a model of any known format. @throws AppError naming what the file is instead. */
export function openModel(file: string): OpenedModel {
  const source = FileSource.open(file);
  try {
    const head = source.read(0, Math.min(HEAD_BYTES, source.size));
    const adapter = adapters.find((candidate) => candidate.match(head, source.size));
    if (adapter !== undefined) return adapter.open(source);
    throw unknownFormat(file, head);
  } catch (error) {
    source.close();
    throw error;
  }
}

function unknownFormat(file: string, head: Uint8Array): AppError {
  const text = Buffer.from(head).toString('latin1');
  const lookalike = lookalikes.find((candidate) => candidate.begins.test(text));
  const extension = path.extname(file).toLowerCase();
  const claimed = adapters.find((adapter) => adapter.extensions.includes(extension));
  const bytes = [...head.subarray(0, 8)]
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join(' ');
  return new AppError(
    'UNKNOWN_FORMAT',
    claimed === undefined
      ? 'is of no format that is known here'
      : `is named ${extension} and is not ${claimed.name}`,
    {
      file,
      field: 'first bytes',
      found: lookalike?.what ?? bytes,
      expected: claimed?.name ?? adapters.map((adapter) => adapter.name).join(', '),
    },
  );
}
