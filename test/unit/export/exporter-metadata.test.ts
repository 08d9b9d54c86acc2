import * as fs from 'node:fs';
import * as path from 'node:path';
import { onnx } from 'onnx-proto';
import { expect, test } from 'vitest';
import { Session } from '../../../electron/engine/session.ts';
import type { ExportMode } from '../../../shared/exports.ts';
import { testPool } from '../../helpers/engine.ts';
import { recipe } from '../../helpers/export.ts';
import { floatTensor, node, randomValues, value } from '../../helpers/onnx-model.ts';
import { runOnnx } from '../../helpers/run-onnx.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const pool = testPool(1);
const { signal } = new AbortController();
const NOTE = 'File "/somewhere/model.py", line 12, in forward '.repeat(20);

/** x -> MatMul -> Relu -> y with notes of its exporter, and metadata of the model as a whole. */
function noted(): Uint8Array {
  return onnx.ModelProto.encode({
    irVersion: 8,
    docString: 'a model',
    opsetImport: [{ domain: '', version: 13 }],
    metadataProps: [{ key: 'stride', value: '32' }],
    graph: {
      name: 'graph',
      docString: NOTE,
      node: [
        node('MatMul', ['x', 'w'], ['m'], { docString: NOTE }),
        node('Relu', ['m'], ['y'], { docString: NOTE }),
      ],
      input: [value('x', [4, 64])],
      output: [value('y', [4, 64])],
      valueInfo: [value('m', [4, 64])],
      initializer: [{ ...floatTensor('w', [64, 64], randomValues(4096, 1)), docString: NOTE }],
    },
  }).finish();
}

const MODES: readonly ExportMode[] = ['qdq', 'dynamic', 'float16'];

test.each(MODES)(
  'notes of the exporter are left out in mode %s where the recipe asks for it',
  async (mode) => {
    const source = writeFile(folder, noted());
    const session = Session.open(source, pool);
    const wanted = recipe(mode === 'float16' ? 'float16' : 'int8');
    const [kept, dropped] = ['kept', 'dropped'].map((name) =>
      path.join(folder, `${mode}-${name}.onnx`),
    );
    const preview = await session.previewExport(wanted, mode, { signal });
    await session.export(wanted, mode, kept!, { signal });
    await session.export({ ...wanted, dropMetadata: true }, mode, dropped!, { signal });
    session.close();
    const [whole, lean] = [kept!, dropped!].map((file) => fs.readFileSync(file));
    // A length before what got shorter may take a byte less.
    const saved = whole!.length - lean!.length;
    expect(saved).toBeGreaterThan(NOTE.length);
    expect(Math.abs(saved - preview.exporterMetadata!)).toBeLessThan(8);
    expect(whole!.includes(NOTE)).toBe(true);
    expect(lean!.includes(NOTE)).toBe(false);
    const { graph, docString, metadataProps } = onnx.ModelProto.decode(lean!);
    expect(graph!.valueInfo).toEqual([]);
    expect(docString).toBe('a model');
    expect(metadataProps[0]).toMatchObject({ key: 'stride', value: '32' });
    const feeds = { x: { shape: [4, 64], dtype: 'float32' as const } };
    expect(await runOnnx(dropped!, feeds)).toEqual(await runOnnx(kept!, feeds));
  },
);
