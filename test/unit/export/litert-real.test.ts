import * as fs from 'node:fs';
import { describe, expect, test } from 'vitest';
import { openModel } from '../../../electron/engine/formats/registry.ts';
import { testPool } from '../../helpers/engine.ts';
import { exporter, recipe } from '../../helpers/export.ts';
import { LITERT_MODELS } from '../../helpers/litert-models.ts';
import { list, plainModel, type Plain } from '../../helpers/litert-tree.ts';
import { temporaryFolder } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const exported = exporter(testPool(), folder);

/** Stored tensors, sparse ones among them, and operators, as tensorflow's own schema_py_generated counts them. */
const COUNTS = {
  faceShort: [85, 0, 164],
  faceFull: [189, 0, 354],
  faceSparse: [188, 46, 388],
  selfie: [113, 0, 246],
  selfieLandscape: [123, 0, 246],
} as const;

const DEQUANTIZE = 6;

function withoutDequantize(model: Plain): readonly Plain[] {
  const codes = list(model, 'operator_codes');
  return list(list(model, 'subgraphs')[0]!, 'operators').filter(
    ({ opcode_index: code }) => codes[Number(code ?? 0)]!['deprecated_builtin_code'] !== DEQUANTIZE,
  );
}

describe.each(Object.entries(LITERT_MODELS))('%s', (name, file) => {
  const [stored, sparse, operators] = COUNTS[name as keyof typeof COUNTS];

  test('opens with every stored tensor', () => {
    const opened = openModel(file);
    opened.close();
    expect(opened.model.tensors).toHaveLength(stored);
    expect(opened.model.tensors.filter(({ fixed }) => fixed !== undefined)).toHaveLength(sparse);
    expect(list(list(plainModel(file), 'subgraphs')[0]!, 'operators')).toHaveLength(operators);
    expect(opened.model.parameters).toBeGreaterThan(50_000);
  });

  test.each(['qdq', 'dynamic'] as const)(
    'exported in mode %s is as it was but for its weights',
    async (mode) => {
      const { out, names, bytes, refused } = await exported(file, recipe('litert-dynamic'), mode);
      expect(names.length).toBeGreaterThan(0);
      expect(bytes.length).toBeLessThan(fs.statSync(file).size);
      const [source, made] = [plainModel(file), plainModel(out)];
      const top = ({
        operator_codes: _,
        subgraphs: __,
        buffers: ___,
        metadata: ____,
        ...rest
      }: Plain): Plain => rest;
      expect(top(made)).toEqual(top(source));
      const [before, after] = [source, made].map((model) => list(model, 'subgraphs')[0]!) as [
        Plain,
        Plain,
      ];
      const rest = ({ tensors: _, operators: __, ...others }: Plain): Plain => others;
      expect(rest(after)).toEqual(rest(before));
      // Biases of operators on int8 weights are float32, and said to be; that and the weights is all that changes.
      const changed = list(before, 'tensors').flatMap((tensor, index) =>
        JSON.stringify(tensor) === JSON.stringify(list(after, 'tensors')[index]) ? [] : [tensor],
      );
      const isBias = (tensor: Plain): boolean => (tensor['shape'] as number[]).length === 1;
      expect(changed.filter((tensor) => !isBias(tensor)).map((tensor) => tensor['name'])).toEqual(
        names,
      );
      if (mode === 'qdq') expect(changed).toHaveLength(2 * names.length);
      expect(refused).toContain(
        'float32 with the same values, so that XNNPACK takes it beside integer weights',
      );
      // The least runtime is raised to what the operators need.
      const runtime = list(source, 'metadata').filter(
        (entry) => entry['name'] === 'min_runtime_version',
      );
      const buffers = new Set([...changed, ...runtime].map(({ buffer }) => buffer));
      for (const [index, buffer] of list(source, 'buffers').entries())
        if (!buffers.has(index)) expect(list(made, 'buffers')[index]).toEqual(buffer);
      const still = ({ inputs: _, ...operator }: Plain): Plain => operator;
      expect(withoutDequantize(made).map(still)).toEqual(withoutDequantize(source).map(still));
      const kept = list(source, 'metadata');
      expect(list(made, 'metadata').slice(0, kept.length)).toEqual(kept);
    },
  );
});
