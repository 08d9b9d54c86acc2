import * as fs from 'node:fs';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import { openModel } from '../../../electron/engine/formats/registry.ts';
import { denseModel } from '../../helpers/litert-model.ts';
import { matMulModel } from '../../helpers/onnx-model.ts';
import { floats, safetensorsFile } from '../../helpers/safetensors.ts';
import { temporaryFolder } from '../../helpers/temporary.ts';

const root = temporaryFolder();
const onnx = matMulModel(4, 4);
const litert = denseModel(4, 4, new Float32Array(16)).bytes;
const safetensors = safetensorsFile({ w: floats([4, 4]) });
let count = 0;

function folderOf(files: Readonly<Record<string, Uint8Array>>): string {
  const folder = path.join(root, `folder-${count++}`);
  fs.mkdirSync(folder);
  for (const [name, bytes] of Object.entries(files))
    fs.writeFileSync(path.join(folder, name), bytes);
  return folder;
}

function openedName(folder: string): string {
  const opened = openModel(folder);
  opened.close();
  return path.basename(opened.model.files[0]!.path);
}

test.each([
  ['an ONNX model', 'model.onnx', onnx],
  ['an ONNX model with an upper-case extension', 'MODEL.ONNX', onnx],
  ['a .tflite model', 'model.tflite', litert],
  ['a .litert model', 'model.litert', litert],
])('a folder with only %s opens', (_, name, bytes) => {
  const text = new TextEncoder().encode('notes');
  expect(openedName(folderOf({ 'README.md': text, [`._${name}`]: text, [name]: bytes }))).toBe(
    name,
  );
});

test('a folder named as a model inside the folder is not a model', () => {
  const folder = folderOf({ 'a.onnx': onnx });
  fs.mkdirSync(path.join(folder, 'b.onnx'));
  expect(openedName(folder)).toBe('a.onnx');
});

test('a checkpoint comes before the export that lies beside it', () => {
  expect(openedName(folderOf({ 'a.onnx': onnx, 'm.safetensors': safetensors }))).toBe(
    'm.safetensors',
  );
});

test('a folder of several models is refused with their names', () => {
  expect(() => openModel(folderOf({ 'b.onnx': onnx, 'a.onnx': onnx }))).toThrow(
    /is a folder of more than one model; open one of its files \(found a directory of 2: a\.onnx, b\.onnx,/,
  );
  expect(() => openModel(folderOf({ 'b.onnx': onnx, 'a.tflite': litert }))).toThrow(
    /found a directory of 2: .*a\.tflite, b\.onnx/,
  );
});

test('a folder without a model says which formats a folder may contain', () => {
  expect(() => openModel(folderOf({}))).toThrow(
    /is a folder without a model \(.*one model \(LiteRT, safetensors, ONNX\)\)/,
  );
});
