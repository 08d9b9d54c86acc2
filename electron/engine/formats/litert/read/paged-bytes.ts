import type { FileSource } from '../../../source.ts';

/** Bytes read at a time. Structure lies in few places of a file, so that small pages leave the weights unread. */
const PAGE_BYTES = 64 << 10;

/** Pages kept: 8 MiB, whatever the file's size. */
const KEPT_PAGES = 128;

/**
 * Little-endian values of a file by offset, through a few kept pages. A value must be aligned to its
 * own size, so that no page ends within it; only runs of bytes may lie anywhere. Reads past the end are errors of the source.
 */
export class PagedBytes {
  readonly source: FileSource;
  private readonly pages = new Map<number, DataView>();

  constructor(source: FileSource) {
    this.source = source;
  }

  get path(): string {
    return this.source.path;
  }

  get size(): number {
    return this.source.size;
  }

  /** A fresh copy of bytes at any place: of many short runs most are in pages that are there. */
  read(at: number, length: number): Uint8Array {
    const start = at - (at % PAGE_BYTES);
    if (length > PAGE_BYTES || at + length > this.size) return this.source.read(at, length);
    const bytes = new Uint8Array(length);
    for (let page = start, done = 0; done < length; page += PAGE_BYTES) {
      const view = this.pages.get(page) ?? this.load(page);
      const from = at + done - page;
      const count = Math.min(length - done, view.byteLength - from);
      bytes.set(new Uint8Array(view.buffer, from, count), done);
      done += count;
    }
    return bytes;
  }

  uint8(at: number): number {
    return this.page(at, 1).getUint8(at % PAGE_BYTES);
  }

  int8(at: number): number {
    return this.page(at, 1).getInt8(at % PAGE_BYTES);
  }

  uint16(at: number): number {
    return this.page(at, 2).getUint16(at % PAGE_BYTES, true);
  }

  int16(at: number): number {
    return this.page(at, 2).getInt16(at % PAGE_BYTES, true);
  }

  uint32(at: number): number {
    return this.page(at, 4).getUint32(at % PAGE_BYTES, true);
  }

  int32(at: number): number {
    return this.page(at, 4).getInt32(at % PAGE_BYTES, true);
  }

  uint64(at: number): bigint {
    return this.page(at, 8).getBigUint64(at % PAGE_BYTES, true);
  }

  int64(at: number): bigint {
    return this.page(at, 8).getBigInt64(at % PAGE_BYTES, true);
  }

  float32(at: number): number {
    return this.page(at, 4).getFloat32(at % PAGE_BYTES, true);
  }

  float64(at: number): number {
    return this.page(at, 8).getFloat64(at % PAGE_BYTES, true);
  }

  /** The page that holds `length` bytes at an offset. */
  private page(at: number, length: number): DataView {
    const start = at - (at % PAGE_BYTES);
    const page = this.pages.get(start) ?? this.load(start);
    // Past the end: the source says so.
    if (at + length > start + page.byteLength) this.source.read(at, length);
    return page;
  }

  private load(start: number): DataView {
    const bytes = this.source.read(start, Math.min(PAGE_BYTES, this.size - start));
    if (this.pages.size >= KEPT_PAGES) this.pages.delete(this.pages.keys().next().value!);
    const page = new DataView(bytes.buffer);
    this.pages.set(start, page);
    return page;
  }
}
