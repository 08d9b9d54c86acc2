import * as fs from 'node:fs';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import { openModel } from '../../../electron/engine/formats/registry.ts';
import type { Model } from '../../../shared/model.ts';
import { floats, rawFile, safetensorsFile } from '../../helpers/safetensors.ts';
import { root } from '../../helpers/root.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

interface Checkpoint {
  readonly memoryFootprint: number;
  readonly parametersOnly: number;
  readonly parametersOnlyBfloat16: number;
  readonly parameters: number;
  readonly tensors: Readonly<Record<string, string>>;
}

const golden = JSON.parse(
  fs.readFileSync(path.join(root, 'test/fixtures/goldens/blip.json'), 'utf8'),
) as { readonly tied: Checkpoint; readonly untied: Checkpoint };
const folder = temporaryFolder();

/** Open a checkpoint of these names and shapes; its values are a hole in the file. */
function open(name: 'tied' | 'untied'): Model {
  let at = 0;
  const entries = Object.entries(golden[name].tensors).map(([tensor, words]) => {
    const [dtype, shape] = words.split(' ') as [string, string];
    const sizes = shape.split('x').map(Number);
    const begin = at;
    at += sizes.reduce((product, size) => product * size, 4);
    return [tensor, { dtype, shape: sizes, data_offsets: [begin, at] }];
  });
  const file = path.join(folder, `${name}.safetensors`);
  const header = rawFile(JSON.stringify(Object.fromEntries(entries)));
  fs.writeFileSync(file, header);
  fs.truncateSync(file, header.length + at);
  const opened = openModel(file);
  opened.close();
  return opened.model;
}

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(2);

test.each([
  ['tied', '895.89'],
  ['untied', '989.66'],
] as const)('the footprint of BLIP, %s, is Hugging Face’s: %s MB', (name, shown) => {
  const { footprint, tensorBytes, parameters } = open(name);
  const reference = golden[name];
  expect(tensorBytes).toBe(reference.parametersOnly);
  expect(footprint.float32).toBe(reference.parametersOnly);
  expect(footprint.bfloat16).toBe(reference.parametersOnlyBfloat16);
  expect(parameters).toBe(reference.parameters);
  expect(megabytes(footprint.float32)).toBe(shown);
  expect(megabytes(reference.memoryFootprint)).toBe(shown);
  expect((footprint.float32 - footprint.bfloat16) / footprint.float32).toBe(0.5);
  // accelerate divides its float32 total by the width alone.
  expect([footprint.float16, footprint.int8, footprint.int4]).toEqual(
    [2, 4, 8].map((part) => reference.parametersOnly / part),
  );
});

test('parameters are counted as torch counts them: every one of them, and no buffer', () => {
  const parameters = {
    'layers.0.mixer.A_log': floats([8, 4]),
    'layers.0.mixer.D': floats([8]),
    'q_proj.lora_magnitude_vector': floats([16]),
    logit_scale: floats([]),
    'bn.weight': floats([2]),
  };
  const buffers = {
    'bn.running_mean': floats([2]),
    'bn.running_var': floats([2]),
    'attn.rotary_emb.inv_freq': floats([4]),
    'mlp.up_proj.weight_scale_inv': floats([2, 2]),
  };
  const bytes = safetensorsFile({ ...parameters, ...buffers });
  const opened = openModel(writeFile(folder, bytes, 'parameters.safetensors'));
  opened.close();
  expect(opened.model.parameters).toBe(32 + 8 + 16 + 1 + 2);
});
