import * as fs from 'node:fs';
import * as path from 'node:path';
import { onnx } from 'onnx-proto';
import { expect, test } from 'vitest';
import { openModel } from '../../../electron/engine/formats/registry.ts';

/** Debian's libonnx-testdata: 1,072 small graphs over 174 operators, installed by the set-up. */
const CORPUS = '/usr/share/libonnx-testdata/data';

function* modelFiles(folder: string): Generator<string> {
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) yield* modelFiles(file);
    else if (entry.name.endsWith('.onnx')) yield file;
  }
}

test('every graph of the ONNX test corpus opens with the tensors that onnx-proto decodes', () => {
  let files = 0;
  for (const file of modelFiles(CORPUS)) {
    files++;
    const opened = openModel(file);
    const graph = onnx.ModelProto.decode(fs.readFileSync(file)).graph!;
    const inMain = opened.model.tensors.filter(
      (tensor) => tensor.graph === '' && tensor.storage === 'inline',
    );
    const decoded = [
      ...graph.initializer!,
      ...graph.sparseInitializer!.map((sparse) => sparse.values!),
    ];
    expect(
      inMain.map((tensor) => tensor.name),
      file,
    ).toEqual(decoded.map((tensor) => tensor.name));
    opened.close();
  }
  expect(files).toBe(1072);
});
