import { AppError } from '../../../../../shared/errors.ts';
import type { FileSource } from '../../../source.ts';
import { cutOff } from '../../ends-early.ts';
import { decodeText } from './text.ts';

/** Nested messages deeper than this are refused; protobuf implementations stop at 100. */
export const MAX_DEPTH = 100;
/** A varint of 64 bits takes at most ten bytes. */
const MAX_VARINT_BYTES = 10;
/** No name or other header string of a model is near this; longer ones are refused before they are read. */
const MAX_STRING_BYTES = 4 << 20;
/** Headers are read in windows of this size, so that weights between them are skipped, not read. */
const WINDOW_BYTES = 16 << 10;

/** Protobuf's wire types. */
export const WireType = {
  Varint: 0,
  Fixed64: 1,
  Bytes: 2,
  StartGroup: 3,
  EndGroup: 4,
  Fixed32: 5,
} as const;

/** One field on the wire. `start` is its tag's offset, `payload`..`end` its value, `end` the next field's tag. */
export interface WireField {
  readonly number: number;
  readonly type: number;
  readonly start: number;
  readonly payload: number;
  readonly end: number;
  /** The value of a varint, unsigned; a bigint above 2^53 - 1. */
  readonly value: number | bigint;
}

/** A length-delimited message in the file: where its length prefix is, and its payload. */
export interface Frame {
  readonly start: number;
  readonly lengthOffset: number;
  readonly payload: number;
  readonly end: number;
  readonly parent: Frame | null;
}

/** Reads protobuf's wire format from a file without reading the payloads that it steps over. */
export class WireReader {
  readonly source: FileSource;
  private window = new Uint8Array(0);
  private windowStart = 0;
  /** Bytes really read, which a test holds against the file's size. */
  bytesRead = 0;
  /** Nodes read so far, which the reader of the structure limits. */
  nodes = 0;

  constructor(source: FileSource) {
    this.source = source;
  }

  /** The field whose tag is at `at`, inside a message that ends at `end`. `depth` is the message's own depth. */
  field(at: number, end: number, depth: number): WireField {
    const tag = this.varint(at, end);
    if (typeof tag.value === 'bigint' || tag.value > 0xffffffff)
      throw this.malformed('a field number over 2^29', at, String(tag.value));
    const number = Math.floor(tag.value / 8);
    const type: number = tag.value % 8;
    if (number === 0) throw this.malformed('field number 0', at, '0', 'a field number from 1');
    return this.fieldOfType(number, type, at, tag.next, end, depth);
  }

  private fieldOfType(
    number: number,
    type: number,
    start: number,
    at: number,
    end: number,
    depth: number,
  ): WireField {
    switch (type) {
      case WireType.Varint: {
        const { value, next } = this.varint(at, end);
        return { number, type, start, payload: at, end: next, value };
      }
      case WireType.Fixed64:
      case WireType.Fixed32: {
        const next = at + (type === WireType.Fixed64 ? 8 : 4);
        if (next > end) throw this.pastEnd('a fixed-width value past the end', next, end, start);
        return { number, type, start, payload: at, end: next, value: 0 };
      }
      case WireType.Bytes: {
        const { value: length, next: payload } = this.varint(at, end);
        if (typeof length === 'bigint' || payload + length > end)
          throw this.pastEnd(
            `field ${number} runs past the end`,
            payload + Number(length),
            end,
            start,
            `a length of ${length}`,
            `at most ${end - payload}`,
          );
        return { number, type, start, payload, end: payload + length, value: length };
      }
      case WireType.StartGroup:
        return {
          number,
          type,
          start,
          payload: at,
          end: this.skipGroup(number, at, end, depth + 1),
          value: 0,
        };
      case WireType.EndGroup:
        throw this.malformed('an end of group that was not started', start, `group ${number}`);
      default:
        throw this.malformed('a wire type that does not exist', start, String(type), '0 to 5');
    }
  }

  private skipGroup(group: number, from: number, end: number, depth: number): number {
    if (depth > MAX_DEPTH) throw this.tooDeep(from);
    let at = from;
    while (at < end) {
      const tag = this.varint(at, end);
      if (tag.value === group * 8 + WireType.EndGroup) return tag.next;
      at = this.field(at, end, depth).end;
    }
    throw this.malformed('a group that does not end', from, `group ${group}`);
  }

  /** Call `visit` for each field of a message. @throws AppError when it breaks the wire format or is too deep. */
  forEachField(from: number, end: number, depth: number, visit: (field: WireField) => void): void {
    if (depth > MAX_DEPTH) throw this.tooDeep(from);
    for (let at = from; at < end;) {
      const field = this.field(at, end, depth);
      visit(field);
      at = field.end;
    }
  }

  /** An unsigned varint and the offset behind it. */
  varint(at: number, end: number): { value: number | bigint; next: number } {
    this.ensure(at, Math.min(MAX_VARINT_BYTES, end - at));
    const base = at - this.windowStart;
    let value = 0;
    let scale = 1;
    for (let index = 0; index < MAX_VARINT_BYTES; index++) {
      if (at + index >= end) throw this.pastEnd('a varint past the end', end + 1, end, at);
      const byte = this.window[base + index]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER)
          return { value: this.bigVarint(base, index), next: at + index + 1 };
        return { value, next: at + index + 1 };
      }
      scale *= 128;
    }
    throw this.malformed('a varint of more than 10 bytes', at);
  }

  private bigVarint(base: number, last: number): bigint {
    let value = 0n;
    for (let index = last; index >= 0; index--)
      value = (value << 7n) | BigInt(this.window[base + index]! & 0x7f);
    return BigInt.asUintN(64, value);
  }

  /** The text of a string field, without loss where it is not UTF-8. `what` names it in errors. */
  text(field: WireField, what: string): string {
    this.expectType(field, WireType.Bytes, what);
    const length = field.end - field.payload;
    if (length > MAX_STRING_BYTES)
      throw new AppError('LIMIT', `${what} is too long`, {
        file: this.source.path,
        offset: field.start,
        found: `${length} bytes`,
        expected: `at most ${MAX_STRING_BYTES}`,
      });
    return decodeText(this.bytes(field.payload, length));
  }

  /** A view of `length` bytes at `at`, valid until the next read. Up to a window they come from the window. */
  bytes(at: number, length: number): Uint8Array {
    if (length > WINDOW_BYTES) {
      this.bytesRead += length;
      return this.source.read(at, length);
    }
    this.ensure(at, length);
    return this.window.subarray(at - this.windowStart, at - this.windowStart + length);
  }

  /** A varint field as a signed 64-bit integer. @throws AppError when it is no safe integer. */
  int64(field: WireField, what: string): number {
    this.expectType(field, WireType.Varint, what);
    return this.safeInt64(field.value, field.start, what);
  }

  safeInt64(unsigned: number | bigint, offset: number, what: string): number {
    if (typeof unsigned === 'number') return unsigned;
    const signed = BigInt.asIntN(64, unsigned);
    if (signed < BigInt(Number.MIN_SAFE_INTEGER) || signed > BigInt(Number.MAX_SAFE_INTEGER))
      throw new AppError('LIMIT', `${what} is out of range`, {
        file: this.source.path,
        offset,
        found: String(signed),
        expected: 'an integer within 2^53',
      });
    return Number(signed);
  }

  /** Values of a repeated varint field, packed or not. @throws AppError LIMIT when there are more than a limit. */
  int64s(field: WireField, what: string, into: number[], limit: number): void {
    const add = (value: number | bigint, at: number): void => {
      if (into.push(this.safeInt64(value, at, what)) <= limit) return;
      throw new AppError('LIMIT', `too many values of ${what}`, {
        file: this.source.path,
        offset: field.start,
        found: `over ${limit}`,
        expected: `at most ${limit}`,
      });
    };
    if (field.type === WireType.Varint) return add(field.value, field.start);
    this.expectType(field, WireType.Bytes, what);
    for (let at = field.payload; at < field.end;) {
      const { value, next } = this.varint(at, field.end);
      add(value, at);
      at = next;
    }
  }

  expectType(field: WireField, type: number, what: string): void {
    if (field.type === type) return;
    throw this.malformed(
      `${what} has the wrong wire type`,
      field.start,
      `wire type ${field.type}`,
      `wire type ${type}`,
    );
  }

  /** The frame of a message field. */
  frame(field: WireField, parent: Frame | null, what: string): Frame {
    this.expectType(field, WireType.Bytes, what);
    return {
      start: field.start,
      lengthOffset: this.varint(field.start, field.end).next,
      payload: field.payload,
      end: field.end,
      parent,
    };
  }

  malformed(summary: string, offset: number, found?: string, expected?: string): AppError {
    return new AppError('MALFORMED', summary, { file: this.source.path, offset, found, expected });
  }

  /** The error of a value past `end`: of a message, or of the file, which was then cut off. */
  private pastEnd(
    summary: string,
    needed: number,
    end: number,
    offset: number,
    found?: string,
    expected?: string,
  ): AppError {
    const cut = end === this.source.size ? cutOff(needed, end) : '';
    return this.malformed(`${summary} of its message${cut}`, offset, found, expected);
  }

  private tooDeep(offset: number): AppError {
    return new AppError('LIMIT', 'messages are nested too deep', {
      file: this.source.path,
      offset,
      found: `over ${MAX_DEPTH} levels`,
      expected: `at most ${MAX_DEPTH}`,
    });
  }

  private ensure(at: number, length: number): void {
    if (at >= this.windowStart && at + length <= this.windowStart + this.window.length) return;
    const size = Math.min(WINDOW_BYTES, this.source.size - at);
    if (size < length || length < 0) throw this.malformed('a value past the end of the file', at);
    if (this.window.length !== size) this.window = new Uint8Array(size);
    this.windowStart = at;
    this.source.readInto(this.window, at);
    this.bytesRead += size;
  }
}

/** Bytes that an unsigned integer takes as a varint. */
export function varintLength(value: number): number {
  let length = 1;
  for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128)) length++;
  return length;
}

/** An unsigned integer up to 2^53 as a minimal varint. */
export function encodeVarint(value: number): Uint8Array {
  const bytes = new Uint8Array(varintLength(value));
  let rest = value;
  for (let index = 0; index < bytes.length; index++) {
    bytes[index] = (rest % 128) | (index < bytes.length - 1 ? 0x80 : 0);
    rest = Math.floor(rest / 128);
  }
  return bytes;
}
