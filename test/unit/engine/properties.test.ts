import * as fs from 'node:fs';
import * as path from 'node:path';
import { onnx } from 'onnx-proto';
import { describe, expect, test } from 'vitest';
import { MOST_LISTED, MOST_TEXT, type ModelProperties } from '../../../shared/properties.ts';
import { openModel } from '../../../electron/engine/formats/registry.ts';
import { ints, table, tables, text, u32 } from '../../helpers/flatbuffer.ts';
import { litertModel } from '../../helpers/litert-model.ts';
import { floatTensor, node, value } from '../../helpers/onnx-model.ts';
import { floats, safetensorsFile } from '../../helpers/safetensors.ts';
import { temporaryFolder } from '../../helpers/temporary.ts';

const folder = temporaryFolder();

function propertiesOf(name: string, bytes: Uint8Array): ModelProperties {
  const file = path.join(folder, name);
  fs.writeFileSync(file, bytes);
  const opened = openModel(file);
  try {
    return opened.properties();
  } finally {
    opened.close();
  }
}

function onnxFile(graph: onnx.IGraphProto, model: onnx.IModelProto = {}): Uint8Array {
  return onnx.ModelProto.encode({
    irVersion: 8,
    opsetImport: [{ domain: '', version: 13 }],
    ...model,
    graph: { name: 'main', ...graph },
  }).finish();
}

describe('properties of an ONNX model', () => {
  test('name inputs and outputs with types and shapes, and leave initializers out', () => {
    const bytes = onnxFile(
      {
        node: [node('MatMul', ['x', 'w'], ['y'])],
        initializer: [floatTensor('w', [2, 3], [1, 2, 3, 4, 5, 6])],
        input: [value('x', ['batch', 2]), value('w', [2, 3]), { name: 'unknown' }],
        output: [
          value('y', ['batch', 3], 10),
          { name: 'list', type: { sequenceType: { elemType: {} } } },
        ],
      },
      {
        producerName: 'maker',
        producerVersion: '2',
        modelVersion: 7,
        domain: 'org.example',
        docString: 'a small model',
        metadataProps: [{ key: 'author', value: 'someone' }],
      },
    );
    expect(propertiesOf('a.onnx', bytes)).toEqual({
      facts: [
        { name: 'Producer', text: 'maker 2' },
        { name: 'IR version', text: '8' },
        { name: 'Model version', text: '7' },
        { name: 'Domain', text: 'org.example' },
        { name: 'Graph', text: 'main' },
        { name: 'Description', text: 'a small model' },
      ],
      opsets: [{ domain: 'ai.onnx', version: 13 }],
      inputs: {
        shown: [
          { name: 'x', type: 'float32', shape: ['batch', 2] },
          { name: 'unknown', type: '', shape: null },
        ],
        count: 2,
      },
      outputs: {
        shown: [
          { name: 'y', type: 'float16', shape: ['batch', 3] },
          { name: 'list', type: 'sequence', shape: null },
        ],
        count: 2,
      },
      signatures: { shown: [], count: 0 },
      metadata: { shown: [{ name: 'author', text: 'someone' }], count: 1 },
    });
  });

  test('show the first of many entries and the beginning of a long text', () => {
    const entries = Array.from({ length: 3000 }, (_, at) => ({ key: `k${at}`, value: 'v' }));
    const { metadata, inputs } = propertiesOf(
      'many.onnx',
      onnxFile(
        { input: Array.from({ length: 3000 }, (_, at) => value(`x${at}`, [1])) },
        { metadataProps: [{ key: 'long', value: 'é'.repeat(5_000_000) }, ...entries] },
      ),
    );
    expect([metadata.count, metadata.shown.length]).toEqual([3001, MOST_LISTED]);
    expect([inputs.count, inputs.shown.length]).toEqual([3000, MOST_LISTED]);
    expect(metadata.shown[0]!.text).toBe(`${'é'.repeat(MOST_TEXT)}…`);
  });
});

test('properties of a LiteRT model have its free sizes, signatures and metadata', () => {
  const tensor = (name: string) => ({
    name,
    shape: [1, 4],
    extra: { 7: ints([-1, 4]) },
  });
  const map = (name: string, index: number) => table({ 0: text(name), 1: u32(index) });
  const { bytes } = litertModel({
    graphs: [
      {
        tensors: [tensor('in'), tensor('out')],
        operators: [{ op: 'ADD', inputs: [0, 0], outputs: [1] }],
        inputs: [0],
        outputs: [1],
      },
    ],
    buffers: [new TextEncoder().encode('1.14.0\0\0'), Uint8Array.of(0, 1, 2)],
    metadata: [
      ['min_runtime_version', 1],
      ['bytes', 2],
    ],
    extra: {
      7: tables(
        [
          table({
            0: tables([map('image', 0)], 'inputs'),
            1: tables([map('scores', 1)], 'outputs'),
            2: text('serving_default'),
            4: u32(0),
          }),
        ],
        'signature_defs',
      ),
    },
  });
  const { signatures, ...rest } = propertiesOf('a.tflite', bytes);
  const free = { type: 'float32', shape: ['', 4] };
  expect(rest.inputs).toEqual({ shown: [{ name: 'in', ...free }], count: 1 });
  expect(rest.outputs).toEqual({ shown: [{ name: 'out', ...free }], count: 1 });
  expect(rest.metadata.shown).toEqual([
    { name: 'min_runtime_version', text: '1.14.0' },
    { name: 'bytes', text: '3 bytes' },
  ]);
  expect(signatures.shown).toEqual([
    {
      name: 'serving_default',
      inputs: { shown: [{ name: 'image', ...free }], count: 1 },
      outputs: { shown: [{ name: 'scores', ...free }], count: 1 },
    },
  ]);
});

test('properties of a checkpoint are its metadata', () => {
  const bytes = safetensorsFile({ w: floats([2, 2]) }, { format: 'pt' });
  const { metadata, inputs } = propertiesOf('a.safetensors', bytes);
  expect(metadata).toEqual({ shown: [{ name: 'format', text: 'pt' }], count: 1 });
  expect(inputs.count).toBe(0);
});
