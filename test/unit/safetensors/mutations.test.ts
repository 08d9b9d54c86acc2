import * as fs from 'node:fs';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import { AppError } from '../../../shared/errors.ts';
import { planModel } from '../../../shared/plan.ts';
import { openModel } from '../../../electron/engine/formats/registry.ts';
import { recipe } from '../../helpers/export.ts';
import { randomNumbers } from '../../helpers/random.ts';
import { floats, rawFile, safetensorsFile } from '../../helpers/safetensors.ts';
import { temporaryFolder } from '../../helpers/temporary.ts';

const ROUNDS = 1500;
const file = path.join(temporaryFolder(), 'mutated.safetensors');

const codes = { dtype: 'I8', shape: [4, 64], bytes: new Uint8Array(256) };
const packed = { dtype: 'U8', shape: [128], bytes: new Uint8Array(128) };
const described = (entry: object): Record<string, string> => ({
  'quantscope.quantization': JSON.stringify({ 'a.weight': { shape: [4, 64], ...entry } }),
});
const seeds = [
  safetensorsFile(
    { 'a.weight': floats([4, 64]), 'a.bias': floats([4]), b: floats([]) },
    { format: 'pt' },
  ),
  safetensorsFile(
    { 'a.weight': codes, 'a.weight_scale': floats([4, 1]) },
    described({ dtype: 'int8', codes: 'a.weight', scale: 'a.weight_scale', axis: 0 }),
  ),
  safetensorsFile(
    { 'a.weight_packed': packed, 'a.weight_scale': floats([4, 2]) },
    described({
      dtype: 'int4',
      codes: 'a.weight_packed',
      scale: 'a.weight_scale',
      axis: 1,
      block_size: 32,
    }),
  ),
];

/** What stands in place of a token: brackets, integers at their edges, names that mean something elsewhere. */
const TOKENS = [
  ...'{}[],:"0',
  '-1',
  '1e3',
  '2147483648',
  '4294967295',
  '9007199254740993',
  '18446744073709551615',
  '"F32"',
  '"U8"',
  'null',
  '\\u0000',
  '__proto__',
  '[1,2]',
  '""',
  'axis',
  'block_size',
];

function mutated(random: (below: number) => number): Uint8Array {
  const seed = seeds[random(seeds.length)]!.slice();
  if (random(3) === 0) {
    for (let times = random(4); times >= 0; times--) seed[random(seed.length)] = random(256);
    return random(4) === 0 ? seed.slice(0, random(seed.length) + 1) : seed;
  }
  const end = 8 + Number(new DataView(seed.buffer).getBigUint64(0, true));
  let header = Buffer.from(seed.subarray(8, end)).toString('latin1');
  for (let times = random(3); times >= 0; times--) {
    const tokens = [...header.matchAll(/\d+|"[^"]*"|[[\]{}:,]/g)];
    const { index, 0: token } = tokens[random(tokens.length)]!;
    header =
      header.slice(0, index) + TOKENS[random(TOKENS.length)]! + header.slice(index + token.length);
  }
  return rawFile(header, seed.subarray(end));
}

test('a mutated file opens and can be laid out, or is refused by its file and field', () => {
  const next = randomNumbers(7);
  const random = (below: number): number => Math.floor(next() * below);
  const outcomes = { opened: 0, refused: 0 };
  for (let round = 0; round < ROUNDS; round++) {
    fs.writeFileSync(file, mutated(random));
    try {
      const opened = openModel(file);
      for (const name of ['int8', 'int4-block32', 'float16']) {
        const wanted = recipe(name, { minElements: 0 });
        const plan = planModel(opened.model.tensors, wanted);
        opened.layout(plan, 'qdq', wanted, 'out.safetensors');
      }
      opened.close();
      outcomes.opened++;
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      expect(error.details).toMatchObject({ file, field: expect.any(String) as unknown });
      outcomes.refused++;
    }
  }
  // Mutations that never open, or always do, would try nothing.
  expect(outcomes.opened).toBeGreaterThan(ROUNDS / 20);
  expect(outcomes.refused).toBeGreaterThan(ROUNDS / 2);
});
