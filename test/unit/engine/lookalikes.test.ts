import { expect, test } from 'vitest';
import { openModel } from '../../../electron/engine/formats/registry.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const zip = (name: string): string => `PK\u0003\u0004${'\0'.repeat(26)}${name}`;
const tar = `weights.bin${'\0'.repeat(246)}ustar`;

test.each([
  ['m.xml', '<?xml version="1.0"?>\n<net name="m" version="11">', /an OpenVINO model; export/],
  ['m.onnx', '<!DOCTYPE html><html>', /a web page; download/],
  ['m.ort', '\u0020\0\0\0ORTM\0\0\0\0', /in ORT format; open the \.onnx file/],
  ['m.onnxtxt', 'ir_version: 8\ngraph {', /ONNX model as text; convert it/],
  ['m.onnxtxt', '<\n  ir_version: 8,\n', /ONNX model as text; convert it/],
  ['m.onnxjson', '{"irVersion": "8", "graph": {}}', /ONNX model as JSON; convert it/],
  ['m.json', '{"a": 1}', /JSON that is not the index/],
  ['m.keras', zip('metadata.json'), /a Keras archive; convert it with tf2onnx/],
  ['m.pt2', zip('m/archive_format'), /a PyTorch program or checkpoint; export it/],
  ['m.pt', zip('m/data.pkl'), /a PyTorch program or checkpoint; export it/],
  ['m.zip', zip('other.txt'), /a zip archive/],
  ['m.h5', '\u0089HDF\r\n', /an HDF5 file.*tf2onnx/],
  ['m.engine', 'ftrt\0\0\0\0', /a TensorRT engine; open the ONNX model/],
  ['m.gguf', 'GGUF\u0003\0\0\0', /a GGUF file; open/],
  ['m.param', '7767517\n10 12\n', /an ncnn model; open the ONNX model/],
  ['m.onnx', 'version https://git-lfs.github.com/spec/v1\n', /Git LFS pointer.*git lfs pull/],
  ['m.onnx', '\u001f\u008b\u0008', /gzip archive; unpack/],
  ['m.tar', tar, /tar archive; unpack/],
  [
    'saved_model.pb',
    `\u0008\u0001\u0012\u0090\u0003\u000a\u0010${'x'.repeat(420)}`,
    /a TensorFlow SavedModel; convert it/,
  ],
  [
    'frozen.pb',
    `\u000a\u001c\u000a\u0005input\u0012\u000bPlaceholder`,
    /a TensorFlow GraphDef; convert it/,
  ],
])('%s is named for what it is: %j', (name, text, expected) => {
  const file = writeFile(folder, Buffer.from(text, 'latin1'), name);
  expect(() => openModel(file)).toThrow(expected);
});
