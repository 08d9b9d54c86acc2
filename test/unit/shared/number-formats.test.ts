import { describe, expect, test } from 'vitest';
import { NUMBER_FORMATS, type NumberFormat } from '../../../shared/number-formats.ts';
import litertSchema from '../../../electron/engine/formats/litert/read/schema.json';
import { readGolden } from '../quantize/goldens.ts';

interface GoldenFloat {
  readonly name: string;
  readonly bits: number;
  readonly min: number;
  readonly max: number;
  readonly eps: number;
  readonly smallestNormal: number;
  readonly smallestSubnormal: number;
  readonly resolution: number;
}

const golden = readGolden<{
  integers: { name: string; bits: number; min: string; max: string }[];
  floats: GoldenFloat[];
  names: {
    pytorch: string[];
    onnx: Record<string, string>;
    gguf: Record<string, { block: number; bytes: number }>;
  };
}>('number_formats.json');

function format(name: string): NumberFormat {
  const found = NUMBER_FORMATS.find((candidate) => candidate.name === name);
  if (found === undefined) throw new Error(`no format is called ${name}`);
  return found;
}

describe('the facts of the formats', () => {
  test.each(golden.integers)("$name is torch.iinfo's", (expected) => {
    expect(format(expected.name)).toMatchObject(expected);
  });

  test.each(golden.floats)("$name is torch.finfo's", ({ min, max, resolution, ...expected }) => {
    const facts = format(expected.name);
    expect(facts).toMatchObject(expected);
    expect([Number(facts.min), Number(facts.max)]).toEqual([min, max]);
    expect(facts.digits).toBe(Math.round(Math.log10(1 / resolution)));
  });

  test.each(NUMBER_FORMATS)('the fields of $name add up', (facts) => {
    expect(facts.signBits + facts.exponentBits + facts.fractionBits).toBe(facts.bits);
  });

  test('the smallest subnormals, and the ends of Q formats', () => {
    expect(format('float64').smallestSubnormal).toBe(Number.MIN_VALUE);
    expect(format('float16').smallestSubnormal).toBe(2 ** -24);
    expect(format('q7')).toMatchObject({ min: '-1', max: '0.9921875', eps: 0.0078125 });
    expect(format('q31').max).toBe('0.9999999995343387');
  });
});

describe('what the formats are called elsewhere', () => {
  test.each(NUMBER_FORMATS)('$name', ({ name, bits, names }) => {
    const { pytorch, onnx, gguf } = golden.names;
    expect(names.pytorch).toBe(pytorch.includes(name) ? name : null);
    expect(names.onnx).toBe(onnx[name] ?? null);
    // LiteRT's are in capitals what PyTorch's are.
    const litert: readonly string[] = litertSchema.enums.TensorType;
    expect(names.litert).toBe(litert.includes(name.toUpperCase()) ? name.toUpperCase() : null);
    if (names.gguf === null) return;
    const size = gguf[names.gguf]!;
    // Blocks have scales besides their codes; plain types have nothing but elements.
    if (size.block === 1) expect(size.bytes * 8).toBe(bits);
    else expect(Math.floor((size.bytes * 8) / size.block)).toBe(bits + (name === 'uint4' ? 1 : 0));
  });

  test('every plain type of GGUF is the name of a format', () => {
    const plain = Object.entries(golden.names.gguf).filter(([, { block }]) => block === 1);
    const named = NUMBER_FORMATS.map(({ names }) => names.gguf);
    expect(plain.map(([name]) => name).filter((name) => !named.includes(name))).toEqual([]);
  });
});
