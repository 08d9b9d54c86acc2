import * as path from 'node:path';
import { AppError } from '../../../shared/errors.ts';
import { JsonReader } from '../../../shared/json-reader.ts';
import { readText } from './read-text.ts';

/** The largest vocabulary of a known model has 262,144 entries (Gemma). */
const MOST_NAMES = 1 << 19;
/** A label is a word or a sentence. */
const MOST_LENGTH = 1000;

/**
 * Reads labels or the characters of a dictionary: one a line, or JSON: a list, an object from numbers to names or from
 * names to numbers, or a model's configuration with id2label. Lines keep their spaces, as a space may be a character.
 * @throws AppError MALFORMED, LIMIT or what the system said, naming the file and the line or key
 */
export function readNames(file: string): readonly string[] {
  const text = readText(file, 'a file of names');
  const names =
    /^\s*[[{]/.test(text) && /\.json$/i.test(file) ? fromJson(text, file) : linesOf(text);
  if (names.every((name) => name === ''))
    throw new AppError('MALFORMED', 'contains no names', {
      file,
      field: 'names',
      expected: 'a name on each line',
    });
  for (const [at, name] of names.entries()) check(file, `entry ${at + 1}`, name, at);
  return names;
}

function linesOf(text: string): string[] {
  const lines = text.split(/\r?\n/, MOST_NAMES + 2);
  while (lines.at(-1) === '') lines.pop();
  return lines;
}

function check(file: string, field: string, name: string, at: number): void {
  if (at >= MOST_NAMES)
    throw new AppError('LIMIT', 'has too many names', {
      file,
      field,
      found: `over ${MOST_NAMES}`,
      expected: `at most ${MOST_NAMES}`,
    });
  if (name.length > MOST_LENGTH)
    throw new AppError('LIMIT', 'has a name that is too long', {
      file,
      field,
      found: `${name.length} characters`,
      expected: `at most ${MOST_LENGTH}`,
    });
}

function fromJson(text: string, file: string): string[] {
  const reader = new JsonReader(text, ({ summary, path: keys, at, found, expected }) => {
    const field = keys.length === 0 ? undefined : keys.join('.');
    throw new AppError('MALFORMED', summary, { file, field, offset: at, found, expected });
  });
  const names = new Map<number, string>();
  const add = (index: number, name: string): void => {
    // Before it is kept: a small file may have very many.
    check(file, `entry ${index + 1}`, name, index);
    names.set(index, name);
  };
  if (text.trimStart().startsWith('[')) reader.array((index) => add(index, reader.string()));
  else object(reader, add, text);
  reader.end();
  return listed(names);
}

type Add = (index: number, name: string) => void;

/** Members with a number and a name, whichever is the key; of a configuration those of id2label. */
function object(reader: JsonReader, add: Add, text: string): void {
  const isConfiguration = /"id2label"\s*:\s*\{/.test(text);
  reader.object((key) => {
    if (isConfiguration && key !== 'id2label') reader.skip();
    else if (isConfiguration) reader.object((index) => member(reader, index, add));
    else member(reader, key, add);
  });
}

function member(reader: JsonReader, key: string, add: Add): void {
  const value = reader.skip();
  if (value.startsWith('"')) {
    if (!/^\d{1,7}$/.test(key))
      reader.refuse('a key must be the number of a class', key, 'a whole number');
    add(Number(key), JSON.parse(value) as string);
  } else if (/^\d{1,7}$/.test(value)) add(Number(value), key);
  else
    reader.refuse(
      'must be a name or the number of a class',
      value.slice(0, 40),
      'a string or a whole number',
    );
}

/** Names by their numbers; a number without a name has an empty one. */
function listed(names: ReadonlyMap<number, string>): string[] {
  let most = -1;
  for (const index of names.keys()) most = Math.max(most, index);
  return Array.from({ length: most + 1 }, (_, index) => names.get(index) ?? '');
}

/** Names of files that labels and dictionaries have, those of the model itself first. */
export function namesFilesBeside(model: string, entries: readonly string[]): readonly string[] {
  const stem = path.basename(model, path.extname(model)).toLowerCase();
  const ranks: readonly ((name: string) => boolean)[] = [
    (name) =>
      new RegExp(
        `^${escapeRegExp(stem)}[._-]?(labels?|classes|names|dict|keys|vocab)?\\.(txt|names)$`,
      ).test(name),
    (name) =>
      /^(labels?|classes|class_names|names|imagenet_classes|synset|coco)\w*\.(txt|names|json)$/.test(
        name,
      ),
    (name) => /(^|[_-])(keys|dict|dictionary|charset|alphabet)\w*\.txt$/.test(name),
    (name) => name === 'config.json',
  ];
  return ranks.flatMap((isOne) => entries.filter((name) => isOne(name.toLowerCase())));
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
