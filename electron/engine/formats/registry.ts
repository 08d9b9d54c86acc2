import * as fs from 'node:fs';
import * as path from 'node:path';
import { AppError, ioError } from '../../../shared/errors.ts';
import type { FormatFacts } from '../../../shared/formats.ts';
import { FileSource } from '../source.ts';
import type { FormatAdapter, OpenedModel } from './format.ts';
import { litertAdapter } from './litert/adapter.ts';
import { onnxAdapter } from './onnx/adapter.ts';
import { lookalikeOf } from './lookalikes.ts';
import { safetensorsAdapter } from './safetensors/adapter.ts';

/** Every format there is, the strictest first: ONNX has no magic number. A new one is a folder beside the others and a line here, and nothing else. */
export const ADAPTERS: readonly FormatAdapter[] = [litertAdapter, safetensorsAdapter, onnxAdapter];

/** What the rest of the program is told of the formats. */
export const FORMATS: readonly FormatFacts[] = ADAPTERS.map(({ format, name, extensions }) => ({
  format,
  name,
  extensions,
}));

/** What people call a format. */
export function formatName(format: string): string {
  return FORMATS.find((each) => each.format === format)?.name ?? format;
}

const HEAD_BYTES = 512;

/** Open a model of any of the formats, from its file or its folder. @throws AppError naming what it is instead. */
export function openModel(
  path: string,
  adapters: readonly FormatAdapter[] = ADAPTERS,
): OpenedModel {
  const source = FileSource.open(isFolder(path) ? fileInFolder(path, adapters) : path);
  try {
    const head = source.read(0, Math.min(HEAD_BYTES, source.size));
    const adapter = adapterOf(source, head, adapters);
    if (adapter === undefined) throw unknownFormat(source.path, head, adapters);
    return openAs(adapter, source, head, adapters);
  } catch (error) {
    source.close();
    throw error;
  }
}

/** What a guess was wrong about is named for what it is; a model of the guessed format opens whatever it resembles. */
function openAs(
  adapter: FormatAdapter,
  source: FileSource,
  head: Uint8Array,
  adapters: readonly FormatAdapter[],
): OpenedModel {
  try {
    return adapter.open(source);
  } catch (error) {
    const isMistaken = adapter.guesses === true && lookalikeOf(head) !== undefined;
    if (isMistaken && error instanceof AppError && error.code === 'MALFORMED')
      throw unknownFormat(source.path, head, adapters);
    throw error;
  }
}

/** The format that a file's bytes are of, or else the one of its name, where that tells best what is wrong with it. */
function adapterOf(
  source: FileSource,
  head: Uint8Array,
  adapters: readonly FormatAdapter[],
): FormatAdapter | undefined {
  const matching = adapters.find((candidate) => candidate.match(head, source.size));
  const isSure = matching !== undefined && matching.guesses !== true;
  if (isSure || lookalikeOf(head) !== undefined) return matching;
  const named = adapters.find(
    (candidate) => candidate.explains === true && extensionOf(source.path, candidate) !== undefined,
  );
  return named ?? matching;
}

function isFolder(path: string): boolean {
  try {
    return fs.statSync(path).isDirectory();
  } catch {
    return false; // Opening it says why.
  }
}

/** How many models the error of an ambiguous folder lists. */
const LISTED_MODELS = 8;

/** The one model of a folder. A checkpoint comes before exports of it that lie beside it. */
function fileInFolder(folder: string, adapters: readonly FormatAdapter[]): string {
  const names = filesOf(folder);
  const inFolder = (some: readonly FormatAdapter[]): readonly string[] =>
    some.flatMap((adapter) => adapter.inFolder(names));
  const checkpoints = inFolder(adapters.filter((adapter) => adapter.isCheckpoint === true));
  const found = checkpoints.length > 0 ? checkpoints : inFolder(adapters);
  if (found.length > 1)
    throw new AppError('NOT_A_FILE', 'is a folder of more than one model; open one of its files', {
      file: folder,
      found: `a directory of ${found.length}: ${found.slice(0, LISTED_MODELS).join(', ')}${found.length > LISTED_MODELS ? ', ...' : ''}`,
      expected: 'a regular file, a folder of one model, or model.safetensors.index.json',
    });
  if (found[0] !== undefined) return path.join(folder, found[0]);
  throw new AppError('NOT_A_FILE', 'is a folder without a model', {
    file: folder,
    found: 'a directory',
    expected: `a regular file, or a folder that contains one model (${namesOf(adapters)})`,
  });
}

/** Names of a folder's files, sorted, without the copies of attributes that macOS puts beside them. */
function filesOf(folder: string): string[] {
  try {
    return fs
      .readdirSync(folder, { withFileTypes: true })
      .filter((entry) => !entry.isDirectory() && !entry.name.startsWith('._'))
      .map(({ name }) => name)
      .sort();
  } catch (error) {
    throw ioError('cannot be listed', folder, error);
  }
}

function namesOf(formats: readonly FormatFacts[]): string {
  return formats.map(({ name }) => name).join(', ');
}

function unknownFormat(
  file: string,
  head: Uint8Array,
  adapters: readonly FormatAdapter[],
): AppError {
  const claimed = adapters.find((adapter) => extensionOf(file, adapter) !== undefined);
  const bytes = [...head.subarray(0, 8)]
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join(' ');
  return new AppError(
    'UNKNOWN_FORMAT',
    claimed === undefined
      ? 'is not a model of a known format'
      : `is named .${extensionOf(file, claimed)} and is not ${claimed.name}`,
    {
      file,
      field: 'first bytes',
      found: lookalikeOf(head) ?? bytes,
      expected: claimed === undefined ? namesOf(adapters) : claimed.name,
    },
  );
}

/** The extension of a format that a file is named with. */
function extensionOf(file: string, { extensions }: FormatFacts): string | undefined {
  return extensions.find((extension) => file.toLowerCase().endsWith(`.${extension}`));
}
