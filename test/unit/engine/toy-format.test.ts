import * as fs from 'node:fs';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import { NO_GRAPH } from '../../../shared/graph.ts';
import { NO_PROPERTIES } from '../../../shared/properties.ts';
import type { TensorRef } from '../../../shared/model.ts';
import { schemeBytes, type Plan } from '../../../shared/plan.ts';
import type { Recipe } from '../../../shared/recipe.ts';
import { isFloatCast } from '../../../shared/scheme.ts';
import { piecesLength, type Layout, type Piece } from '../../../electron/engine/export/layout.ts';
import type { FormatAdapter, OpenedModel } from '../../../electron/engine/formats/format.ts';
import { ADAPTERS, openModel } from '../../../electron/engine/formats/registry.ts';
import { sumsOf } from '../../../electron/engine/formats/sums.ts';
import { figuresOf } from '../../../electron/engine/reports.ts';
import { Session } from '../../../electron/engine/session.ts';
import type { FileSource } from '../../../electron/engine/source.ts';
import { testPool } from '../../helpers/engine.ts';
import { recipe } from '../../helpers/export.ts';
import { randomValues } from '../../helpers/onnx-model.ts';
import { codesOfReport, valuesOf } from '../../helpers/stored-parts.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const pool = testPool();
const signal = new AbortController().signal;

/** A toy: "TOYF", and a matrix of float32 with 16 columns; or "TOYQ", codes of 8 bits and scales. */
const COLUMNS = 16;
const HEAD = 4;

/** All that a format must give. */
const toyAdapter: FormatAdapter = {
  format: 'toy',
  name: 'Toy',
  extensions: ['toy'],
  match: (head) => Buffer.from(head.subarray(0, 3)).toString() === 'TOY',
  inFolder: (names) => names.filter((name) => name.endsWith('.toy')),
  open: openToy,
};

function openToy(source: FileSource): OpenedModel {
  const tensor = toyTensor(source.size);
  return {
    model: {
      format: 'toy',
      files: [{ path: source.path, bytes: source.size }],
      producer: '',
      opsets: [],
      ...sumsOf([tensor]),
      tensors: [tensor],
    },
    files: [source],
    extension: '.toy',
    modes: ['qdq'],
    properties: () => NO_PROPERTIES,
    graph: () => NO_GRAPH,
    runHints: null,
    layout: (plan) => layoutToy(tensor, plan, source.size),
    close: () => source.close(),
  };
}

function toyTensor(size: number): TensorRef {
  const length = size - HEAD;
  return {
    ...{ id: 0, name: 'matrix', dtype: 'float32', elements: length / 4, bytes: length },
    ...{ shape: [length / 4 / COLUMNS, COLUMNS], layer: 'all', op: 'Toy', role: 'weight', axis: 0 },
    ...{ storage: 'inline', graph: '', consumers: [], quantization: null },
    data: { encoding: 'raw', ranges: [{ file: 0, offset: HEAD, length }] },
  };
}

function layoutToy(tensor: TensorRef, { weights }: Plan, size: number): Layout {
  const scheme = weights[0]!.scheme;
  const source: Piece = { kind: 'copy', file: 0, offset: 0, length: size };
  const kept = { pieces: [source], beside: [], bytes: size, quantized: [], refused: [] };
  if (scheme === null) return kept;
  if (isFloatCast(scheme.dtype) || scheme.dtype !== 'int8')
    return { ...kept, refused: [{ tensor: 0, reason: `toys are of int8, not ${scheme.dtype}` }] };
  const part = { kind: 'tensor', tensor: 0 } as const;
  const pieces: Piece[] = [
    { kind: 'bytes', bytes: Buffer.from('TOYQ') },
    { ...part, part: 'codes', length: tensor.elements },
    { ...part, part: 'scale', length: schemeBytes(scheme, tensor) - tensor.elements },
  ];
  const quantized = [{ tensor: 0, scheme, codes: 'tensor' }] as const;
  return { ...kept, pieces, bytes: piecesLength(pieces), quantized };
}

const values = Float32Array.from(randomValues(64 * COLUMNS, 1));
const file = writeFile(
  folder,
  Buffer.concat([Buffer.from('TOYF'), new Uint8Array(values.buffer)]),
  'matrix.toy',
);

function open(): Session {
  return Session.open(file, pool, undefined, [...ADAPTERS, toyAdapter]);
}

test('a format that is not in the list is not opened', () => {
  expect(() => openModel(file)).toThrow('is not a model of a known format');
});

test('a folder is opened by the format whose model it contains', () => {
  const alone = path.join(folder, 'alone');
  fs.mkdirSync(alone);
  fs.copyFileSync(file, path.join(alone, 'a.toy'));
  const opened = openModel(alone, [...ADAPTERS, toyAdapter]);
  expect(opened.model.format).toBe('toy');
  opened.close();
});

test('a new format is analysed, inspected and exported by its adapter alone', async () => {
  const session = open();
  const wanted: Recipe = recipe('int8');
  const { reports } = await session.analyze(wanted, { signal });
  const detail = await session.inspect(0, [wanted], 8, signal);
  const out = path.join(folder, 'out.toy');
  const result = await session.export(wanted, 'qdq', out, { signal });
  const [report] = reports;
  const codes = codesOfReport(valuesOf(session, session.tensors[0]!), session.tensors[0]!, report!);
  session.close();
  expect(detail.a!.report).toEqual(figuresOf(report!));
  const scales = Float32Array.from(report!.scale);
  expect(fs.readFileSync(out)).toEqual(
    Buffer.concat([Buffer.from('TOYQ'), Uint8Array.from(codes), new Uint8Array(scales.buffer)]),
  );
  expect(result).toMatchObject({ quantized: 1, kept: 0, bytesAfter: HEAD + 64 * COLUMNS + 64 * 4 });
});

test("the format's reason is the plan's", () => {
  const session = open();
  const { weights } = session.plan(recipe('float16', { minElements: 0 }));
  session.close();
  expect(weights[0]).toMatchObject({ scheme: null, reason: 'toys are of int8, not float16' });
});
