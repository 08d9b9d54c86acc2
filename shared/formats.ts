/**
 * A file format as the page and the main process know it: what its folder in the engine says of it. They
 * learn the list from the engine, so that a new format is its folder and a line in the registry.
 */
export interface FormatFacts {
  /** How code calls it: onnx. */
  readonly format: string;
  /** How people call it: ONNX. */
  readonly name: string;
  /** What its files' names end with, without the dot. */
  readonly extensions: readonly string[];
}

/** What runs models: onnxruntime those of ONNX, LiteRT .tflite files. */
export type RuntimeName = 'onnxruntime' | 'LiteRT';

/** What a user must know of the times that a runtime needs here, in one sentence; null for nothing. */
export const ABOUT_TIMES: Readonly<Record<RuntimeName, string | null>> = {
  onnxruntime: null,
  LiteRT:
    'LiteRT runs in WebAssembly on one thread here; the times of a phone or a microcontroller differ.',
};

/** The file name that an export is first offered under: model.onnx becomes model.int8-qdq.onnx. */
export function suggestedFileName(
  file: string,
  recipeName: string,
  mode: string,
  extension: string,
): string {
  const stem = file.toLowerCase().endsWith(extension) ? file.slice(0, -extension.length) : file;
  const word = recipeName.replace(/[^A-Za-z0-9_-]+/g, '-').replace(/^-+|-+$/g, '');
  const scheme = word === '' ? 'quantized' : word;
  // float16 in mode float16 is said once.
  const both = scheme === mode || scheme.endsWith(`-${mode}`) ? scheme : `${scheme}-${mode}`;
  return `${stem === '' ? 'model' : stem}.${both}${extension}`;
}
