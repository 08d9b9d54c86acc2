import { isUtf8 } from 'node:buffer';

/** A byte that is no part of UTF-8 text is read as this code and itself: a lone surrogate, which UTF-8 text never has. */
const ESCAPE = 0xdc00;
const ESCAPED = /[\udc80-\udcff]/u;

/**
 * Text from its bytes without loss. onnxruntime takes names as bytes and runs models whose names are
 * not UTF-8, so that distinct names must stay distinct (the rule is Python's "surrogateescape", PEP 383).
 */
export function decodeText(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (isUtf8(buffer)) return buffer.toString('utf8');
  const parts: string[] = [];
  for (let at = 0; at < buffer.length;) {
    const character = buffer.subarray(at, at + sequenceLength(buffer[at]!));
    const isWhole = isUtf8(character);
    parts.push(isWhole ? character.toString('utf8') : String.fromCharCode(ESCAPE + buffer[at]!));
    at += isWhole ? character.length : 1;
  }
  return parts.join('');
}

/** The bytes that decodeText made a text of; UTF-8 for any other text. */
export function encodeText(text: string): Uint8Array {
  if (!ESCAPED.test(text)) return Buffer.from(text, 'utf8');
  const parts = [...text].map((character) =>
    ESCAPED.test(character)
      ? Uint8Array.of(character.charCodeAt(0) - ESCAPE)
      : Buffer.from(character, 'utf8'),
  );
  return Buffer.concat(parts);
}

/** Bytes of the character that a byte begins, were it UTF-8 (RFC 3629). */
function sequenceLength(lead: number): number {
  if (lead < 0xc0) return 1;
  if (lead < 0xe0) return 2;
  return lead < 0xf0 ? 3 : 4;
}
