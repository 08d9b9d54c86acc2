// An ambient declaration is no module to import.
// eslint-disable-next-line @typescript-eslint/triple-slash-reference
/// <reference path="./wasm-inline.d.ts" />
import { decodeBmp } from './bmp.ts';
import { notAPicture, readPictureHeader, type PictureFormat } from './picture-header.ts';
import { readWhole } from '../sample-file.ts';
import type { Pixels } from './resample.ts';

/*
 * The decoders are those of Squoosh, in WebAssembly (@jsquash/*): mozjpeg, libwebp and the Rust png crate.
 * They need no install script and no native code, run in the sandbox of WebAssembly, and give Pillow's
 * pixels to the bit. They are loaded when the first picture of their format is decoded.
 */

/** No picture of 2^26 pixels takes more. */
const MAX_PICTURE_BYTES = 1 << 28;

/** What the decoders return: RGBA. */
interface Decoded {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8ClampedArray;
}

type Decoder = (bytes: ArrayBuffer) => Promise<Decoded>;

const loaded = new Map<PictureFormat, Promise<Decoder>>();

/**
 * A picture as RGBA of 8 bits a channel. A JPEG's orientation is applied; of 16 bits the upper 8 are taken.
 * @throws AppError naming the file when it is no whole PNG, JPEG, WebP or BMP, or has over 2^26 pixels.
 */
export async function decodePicture(file: string): Promise<Pixels> {
  const bytes = readWhole(file, MAX_PICTURE_BYTES);
  const { format } = readPictureHeader(bytes, file);
  if (format === 'BMP') return decodeBmp(bytes, file);
  try {
    const decoder = loaded.get(format) ?? LOADERS[format]();
    loaded.set(format, decoder);
    const { width, height, data } = await (await decoder)(bytes.buffer as ArrayBuffer);
    return { width, height, channels: 4, data };
  } catch (error) {
    throw notAPicture(file, `${format} data that is damaged or ends early`, error);
  }
}

const LOADERS: Readonly<Record<Exclude<PictureFormat, 'BMP'>, () => Promise<Decoder>>> = {
  PNG: async () => {
    const { decode, init } = await import('@jsquash/png/decode.js');
    const wasm = await import('@jsquash/png/codec/pkg/squoosh_png_bg.wasm?url&inline');
    await init(bytesOf(wasm.default));
    return (bytes) => decode(bytes) as Promise<Decoded>;
  },
  JPEG: async () => {
    const { default: decode, init } = await import('@jsquash/jpeg/decode.js');
    const wasm = await import('@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm?url&inline');
    await init({ ...SILENT, wasmBinary: bytesOf(wasm.default) });
    return (bytes) => decode(bytes, { preserveOrientation: true }) as Promise<Decoded>;
  },
  WebP: async () => {
    const { default: decode, init } = await import('@jsquash/webp/decode.js');
    const wasm = await import('@jsquash/webp/codec/dec/webp_dec.wasm?url&inline');
    await init({ ...SILENT, wasmBinary: bytesOf(wasm.default) });
    return (bytes) => decode(bytes) as Promise<Decoded>;
  },
};

/** The decoders say on stderr what our own errors say. */
const SILENT = { noInitialRun: true, print: () => undefined, printErr: () => undefined };

/** The bytes of a data: URL. */
function bytesOf(url: string): ArrayBuffer {
  return new Uint8Array(Buffer.from(url.slice(url.indexOf(',') + 1), 'base64')).buffer;
}
