import { readFileSync } from 'node:fs';

/** A golden file, made by the script of the same name in test/reference. */
export function readGolden<T>(name: string): T {
  const url = new URL(`../../fixtures/goldens/${name}`, import.meta.url);
  return JSON.parse(readFileSync(url, 'utf8')) as T;
}

/** The bytes of a base64 array, alone in their buffer. */
export function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.from(base64, 'base64'));
}

export function float32Of(base64: string): Float32Array {
  return new Float32Array(bytesOf(base64).buffer);
}

export function float64Of(base64: string): Float64Array {
  return new Float64Array(bytesOf(base64).buffer);
}

export function uint16Of(base64: string): Uint16Array {
  return new Uint16Array(bytesOf(base64).buffer);
}
