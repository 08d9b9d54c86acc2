import { expect, test } from 'vitest';
import { tensorSummaries } from '../../../electron/engine/summaries.ts';
import { MAX_NAME } from '../../../shared/short-name.ts';
import { litertTensors } from '../../helpers/named-tensors.ts';

test('a name of 1 MB is shown short at every tensor that has it', () => {
  const name = 'x'.repeat(1 << 20);
  const summaries = tensorSummaries(litertTensors(name, 2000));
  expect(summaries).toHaveLength(2000);
  for (const { name: shown, layer, graph, consumers } of summaries)
    for (const text of [shown, layer, graph, consumers[0]!.node])
      expect(text.length).toBeLessThanOrEqual(MAX_NAME);
  expect(summaries[0]!.name).toMatch(/^x{480}…\[1048576 characters, [0-9a-f]{8}\]…x{480}$/);
});

test('names out of proportion to the file are a LIMIT', () => {
  const summarize = (): unknown => tensorSummaries(litertTensors('y'.repeat(MAX_NAME), 20_000));
  expect(summarize).toThrow(/^m\.tflite, y+…y+: the names of tensors and operators are too long/);
  expect(summarize).toThrow(expect.objectContaining({ code: 'LIMIT' }));
});
