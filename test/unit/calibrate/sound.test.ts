import { describe, expect, test } from 'vitest';
import { openSamples } from '../../../electron/engine/calibrate/data/samples.ts';
import type { InputFacts } from '../../../electron/engine/runtime/dimensions.ts';
import { NO_HINTS, type ModelFacts } from '../../../electron/engine/runtime/inputs.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';
import { wavFile, type Sound } from '../../helpers/wav.ts';

const folder = temporaryFolder();

const bytes = (array: Int16Array | Int32Array | Float32Array | Float64Array): Uint8Array =>
  new Uint8Array(array.buffer);
const model = (shape: InputFacts['shape'], type = 'float32'): ModelFacts => ({
  inputs: [{ name: 'x', type, shape }],
  outputs: [],
  hints: NO_HINTS,
});
let made = 0;
const open = (file: Uint8Array, facts = model([1, 'n'])) =>
  openSamples([writeFile(folder, file, `sound-${made++}.wav`)], facts);
const first = async (file: Uint8Array, facts = model([1, 'n'])) =>
  (await (await open(file, facts)).at(0))['x']!;

describe('the values of a .wav', () => {
  test.each<[string, Uint8Array, Sound]>([
    ['8 bits', Uint8Array.of(128, 192, 0), { bits: 8 }],
    ['16 bits', bytes(Int16Array.of(0, 16384, -32768)), { bits: 16 }],
    ['24 bits', Uint8Array.of(0, 0, 0, 0, 0, 0x40, 0, 0, 0x80), { bits: 24 }],
    ['32 bits', bytes(Int32Array.of(0, 2 ** 30, -(2 ** 31))), { bits: 32 }],
    ['float32', bytes(Float32Array.of(0, 0.5, -1)), { bits: 32, format: 3 }],
    ['float64', bytes(Float64Array.of(0, 0.5, -1)), { bits: 64, format: 3 }],
  ])('of %s', async (_, data, sound) => {
    const found = await first(wavFile(data, sound));
    expect(found).toEqual({ type: 'float32', dims: [1, 3], data: Float32Array.of(0, 0.5, -1) });
  });

  test('two channels are their mean', async () => {
    const found = await first(
      wavFile(bytes(Int16Array.of(16384, 0, -16384, 16384)), { channels: 2 }),
    );
    expect(found.data).toEqual(Float32Array.of(0.25, 0));
  });

  test('a tone at another rate is the same tone, and one over the band is gone', async () => {
    const tone = (hertz: number) =>
      bytes(
        Float32Array.from({ length: 44_100 }, (_, at) =>
          Math.sin((2 * Math.PI * hertz * at) / 44_100),
        ),
      );
    const sound = { bits: 32, format: 3, rate: 44_100 };
    const kept = (await first(wavFile(tone(440), sound))).data as Float32Array;
    expect(kept.length).toBe(16_000);
    const inner = Array.from({ length: 15_000 }, (_, at) => at + 500);
    const errors = inner.map((at) =>
      Math.abs(kept[at]! - Math.sin((2 * Math.PI * 440 * at) / 16_000)),
    );
    expect(Math.max(...errors.slice(0, 5000))).toBeLessThan(2e-3);
    const gone = (await first(wavFile(tone(12_000), sound))).data as Float32Array;
    expect(Math.max(...inner.slice(0, 5000).map((at) => Math.abs(gone[at]!)))).toBeLessThan(2e-3);
  });
});

describe('windows', () => {
  const ramp = wavFile(bytes(Int16Array.from({ length: 1300 }, (_, at) => at)));

  test('a fixed length cuts a file into samples; the end that is too short is left out', async () => {
    const samples = await open(ramp, model([1, 1, 512], 'int16'));
    expect([samples.count, samples.sequence]).toEqual([2, false]);
    const { dims, data } = (await samples.at(1))['x']!;
    expect(dims).toEqual([1, 1, 512]);
    expect(data).toEqual(Int16Array.from({ length: 512 }, (_, at) => 512 + at));
  });

  test('a file that is shorter than a window ends in zeros', async () => {
    const { data } = await first(wavFile(bytes(Int16Array.of(1, 2))), model([1, 4], 'int16'));
    expect(data).toEqual(Int16Array.of(1, 2, 0, 0));
  });

  test('a model with state gets a sequence, with zero state and its sample rate', async () => {
    const silero: ModelFacts = {
      inputs: [
        { name: 'input', type: 'float32', shape: ['batch', 'samples'] },
        { name: 'state', type: 'float32', shape: [2, 'batch', 4] },
        { name: 'sr', type: 'int64', shape: [1] },
      ],
      outputs: [
        { name: 'output', type: 'float32', shape: ['batch', 1] },
        { name: 'stateN', type: 'float32', shape: ['a', 'b', 'c'] },
      ],
      hints: NO_HINTS,
    };
    const samples = await open(ramp, silero);
    expect([samples.count, samples.sequence]).toEqual([2, true]);
    expect([samples.startsSequence(0), samples.startsSequence(1)]).toEqual([true, false]);
    const feeds = await samples.at(1);
    expect(feeds['input']!.dims).toEqual([1, 512]);
    expect(feeds['state']).toEqual({ type: 'float32', dims: [2, 1, 4], data: new Float32Array(8) });
    expect(feeds['sr']!.data).toEqual(BigInt64Array.of(16_000n));
  });
});

test.each<[string, Uint8Array, RegExp]>([
  ['another format', Buffer.from('hello world, this is text'), /magic: cannot be read as sound/],
  [
    'a file that ends early',
    wavFile(new Uint8Array(99)).subarray(0, 100),
    /data: cannot be read as sound/,
  ],
  ['no samples', wavFile(new Uint8Array(0)), /data: .*found no samples/],
  [
    'compressed samples',
    wavFile(new Uint8Array(9), { format: 2, bits: 4 }),
    /fmt: .*format 2 with 4 bits/,
  ],
  ['no rate', wavFile(new Uint8Array(9), { rate: 0 }), /fmt: .*1 channels at 0 Hz/],
])('%s is named', async (_, file, message) => {
  await expect(open(file)).rejects.toThrow(message);
});

test('a model without an input for sound says what to give', async () => {
  await expect(open(wavFile(new Uint8Array(8)), model([1, 3, 8, 8]))).rejects.toThrow(
    /no input for sound .*\.npz files/,
  );
});
