/** What each format is called, and how its files are named. A new format is a line here, one in the registry, and its folder. */
export const FORMATS = {
  onnx: { name: 'ONNX', extensions: ['onnx'] },
  safetensors: { name: 'safetensors', extensions: ['safetensors', 'safetensors.index.json'] },
  litert: { name: 'LiteRT', extensions: ['tflite', 'litert'] },
} as const satisfies Readonly<
  Record<string, { readonly name: string; readonly extensions: readonly string[] }>
>;

export type FormatName = keyof typeof FORMATS;

/** The file name that an export is first offered under: model.onnx becomes model.int8.onnx. */
export function suggestedFileName(file: string, recipeName: string, extension: string): string {
  const stem = file.toLowerCase().endsWith(extension) ? file.slice(0, -extension.length) : file;
  const word = recipeName.replace(/[^A-Za-z0-9_-]+/g, '-').replace(/^-+|-+$/g, '');
  return `${stem === '' ? 'model' : stem}.${word === '' ? 'quantized' : word}${extension}`;
}
