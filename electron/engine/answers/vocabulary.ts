import { AppError } from '../../../shared/errors.ts';
import { JsonReader } from '../../../shared/json-reader.ts';
import { readText } from './read-text.ts';

/*
 * Text of tokens by a tokenizer.json of Hugging Face. Only its vocabulary is read, and how pieces are written: a whole
 * tokenizer would run the regular expressions of a file that nobody vouches for, and nothing here is encoded.
 */

/** Gemma's, with 262,144 pieces and their merges, has 33 MB. */
const MOST_BYTES = 64 << 20;
const MOST_PIECES = 1 << 20;
const MOST_LENGTH = 4096;

/** How a vocabulary writes the bytes of its text. */
type Writing = 'bytes' | 'words' | 'spaces';

export interface Vocabulary {
  readonly size: number;
  /** The text of each token, in the order of a sequence: a character that tokens share is with the last of them. */
  readonly decode: (ids: readonly number[]) => string[];
}

/** @throws AppError MALFORMED, LIMIT or what the system said, naming the file and the member */
export function readVocabulary(file: string): Vocabulary {
  const text = readText(file, 'a tokenizer', MOST_BYTES);
  const pieces = new Map<number, string>();
  const special = new Set<number>();
  const reader = new JsonReader(text, ({ summary, path: keys, at, found, expected }) => {
    throw new AppError('MALFORMED', summary, {
      ...{ file, field: keys.slice(0, 4).join('.') || undefined, offset: at, found, expected },
    });
  });
  const add = (id: number, piece: string): void => {
    if (id >= MOST_PIECES || piece.length > MOST_LENGTH)
      throw new AppError('LIMIT', 'has too many or too long tokens', {
        file,
        field: 'model.vocab',
        found: `token ${id} of ${piece.length} characters`,
        expected: `at most ${MOST_PIECES} tokens of ${MOST_LENGTH} characters`,
      });
    pieces.set(id, piece);
  };
  const parts: Record<string, string> = {};
  reader.object((key) => {
    if (key === 'model') readModel(reader, add, parts);
    else if (key === 'added_tokens') reader.array(() => readAdded(reader, add, special));
    else if (key === 'decoder' || key === 'pre_tokenizer') parts[key] = reader.skip();
    else reader.skip();
  });
  reader.end();
  if (pieces.size === 0)
    throw new AppError('MALFORMED', 'has no vocabulary', {
      ...{ file, field: 'model.vocab', found: 'no tokens', expected: 'at least one' },
    });
  return vocabulary(pieces, special, writingOf(parts));
}

type Add = (id: number, piece: string) => void;

function readModel(reader: JsonReader, add: Add, parts: Record<string, string>): void {
  reader.object((key) => {
    if (key === 'type') parts['type'] = reader.skip();
    else if (key !== 'vocab') reader.skip();
    else if (reader.peek() === '[')
      // A unigram model has pairs of a piece and its score.
      reader.array((id) =>
        reader.array((at) => {
          if (at === 0) add(id, reader.string());
          else reader.skip();
        }),
      );
    else reader.object((piece) => add(reader.integer(), piece));
  });
}

/** Special tokens, such as the end of a text, are written as they are. */
function readAdded(reader: JsonReader, add: Add, special: Set<number>): void {
  let [id, content] = [-1, ''];
  reader.object((key) => {
    if (key === 'id') id = reader.integer();
    else if (key === 'content') content = reader.string();
    else reader.skip();
  });
  if (id < 0) return;
  add(id, content);
  special.add(id);
}

function writingOf(parts: Readonly<Record<string, string>>): Writing {
  const { decoder = '', pre_tokenizer: splitter = '', type = '' } = parts;
  const isNamed = (name: string): boolean => (decoder + splitter).includes(`"${name}"`);
  if (isNamed('ByteLevel')) return 'bytes';
  return type === '"WordPiece"' || isNamed('WordPiece') ? 'words' : 'spaces';
}

function vocabulary(
  pieces: ReadonlyMap<number, string>,
  special: ReadonlySet<number>,
  writing: Writing,
): Vocabulary {
  let size = 0;
  for (const id of pieces.keys()) size = Math.max(size, id + 1);
  const encoder = new TextEncoder();
  const bytesOf = (id: number, at: number): Uint8Array => {
    const piece = pieces.get(id);
    if (piece === undefined) return encoder.encode(`[${id}]`);
    if (special.has(id)) return encoder.encode(piece);
    const byte = writing === 'spaces' ? /^<0x([0-9A-F]{2})>$/.exec(piece)?.[1] : undefined;
    if (byte !== undefined) return Uint8Array.of(parseInt(byte, 16));
    return writing === 'bytes' ? bytesOfPiece(piece) : encoder.encode(textOf(piece, writing, at));
  };
  const decode = (ids: readonly number[]): string[] => {
    const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
    const texts = ids.map((id, at) => decoder.decode(bytesOf(id, at), { stream: true }));
    const rest = decoder.decode();
    return rest === '' ? texts : texts.with(-1, texts.at(-1)! + rest);
  };
  return { size, decode };
}

function textOf(piece: string, writing: Writing, at: number): string {
  // SentencePiece writes a space as U+2581, WordPiece marks what goes on with a word.
  if (writing === 'spaces') return piece.replaceAll('\u2581', ' ');
  if (piece.startsWith('##')) return piece.slice(2);
  return at === 0 ? piece : ` ${piece}`;
}

/**
 * Bytes of a piece as GPT-2 writes them: printable ones of Latin-1 as themselves, the others from U+0100 on in their
 * order (bytes_to_unicode of its encoder.py).
 */
function bytesOfPiece(piece: string): Uint8Array {
  return Uint8Array.from([...piece].flatMap((character) => BYTES.get(character) ?? []));
}

const isPrintable = (byte: number): boolean =>
  (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;

const BYTES: ReadonlyMap<string, number> = new Map(
  (() => {
    let next = 0x100;
    return Array.from({ length: 256 }, (_, byte): [string, number] => [
      String.fromCharCode(isPrintable(byte) ? byte : next++),
      byte,
    ]);
  })(),
);
