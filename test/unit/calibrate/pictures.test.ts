import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { decodePicture } from '../../../electron/engine/calibrate/data/images/decode-picture.ts';
import { frame } from '../../../electron/engine/calibrate/data/images/frame.ts';
import { withChannels } from '../../../electron/engine/calibrate/data/images/picture-values.ts';
import { openSamples } from '../../../electron/engine/calibrate/data/samples.ts';
import type { InputFacts } from '../../../electron/engine/runtime/dimensions.ts';
import { NO_HINTS, type ModelFacts } from '../../../electron/engine/runtime/inputs.ts';
import type { ImageSettings } from '../../../shared/calibration-settings.ts';
import { root } from '../../helpers/root.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const PICTURES = path.join(root, 'test/fixtures/pictures');
const picture = (name: string): string => path.join(PICTURES, name);

interface Goldens {
  readonly decoded: readonly { name: string; size: [number, number]; sha256: string }[];
  readonly frames: readonly {
    resize: 'fit' | 'cover' | 'stretch';
    size: [number, number];
    rgb: string;
  }[];
  readonly tensors: readonly { name: string; value: string }[];
}
const goldens = JSON.parse(fs.readFileSync(picture('pictures.json'), 'utf8')) as Goldens;
const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'));

describe("Pillow's pixels to the bit", () => {
  test.each(goldens.decoded)('$name', async ({ name, size, sha256 }) => {
    const found = withChannels(await decodePicture(picture(name)), 'RGB');
    expect([found.width, found.height]).toEqual(size);
    expect(createHash('sha256').update(found.data).digest('hex')).toBe(sha256);
  });

  test.each(goldens.frames)('$resize to $size', async ({ resize, size: [height, width], rgb }) => {
    const source = withChannels(await decodePicture(picture('rgb.png')), 'RGB');
    const found = frame(source, width, height, resize);
    expect(Buffer.from(found.data).equals(bytesOf(rgb))).toBe(true);
  });
});

function model(type: string, shape: InputFacts['shape']): ModelFacts {
  return { inputs: [{ name: 'x', type, shape }], outputs: [], hints: NO_HINTS };
}

async function values(facts: ModelFacts, images: ImageSettings = {}, name = 'rgb.png') {
  const samples = await openSamples([picture(name)], facts, { images });
  const { data, dims } = (await samples.at(0))['x']!;
  return { dims, bytes: Buffer.from((data as Uint8Array).buffer) };
}

describe('pictures as values', () => {
  const golden = (wanted: string): Buffer =>
    Buffer.from(bytesOf(goldens.tensors.find(({ name }) => name === wanted)!.value));

  test.each<[string, ModelFacts, ImageSettings]>([
    ['imagenet', model('float32', ['n', 3, 8, 12]), { resize: 'stretch' }],
    [
      'bgr',
      model('float16', [1, 8, 12, 3]),
      { resize: 'stretch', channels: 'BGR', mean: [0.5], std: [0.5] },
    ],
    ['bytes', model('uint8', [1, 8, 12, 3]), { resize: 'stretch' }],
    ['gray', model('float32', [1, 1, 8, 12]), { resize: 'stretch' }],
  ])("%s equal NumPy's", async (name, facts, images) => {
    expect((await values(facts, images)).bytes.equals(golden(name))).toBe(true);
  });

  test.each<[string, InputFacts['shape'], number[]]>([
    ['free sizes are the own ones as multiples of 32', ['n', 3, 'h', 'w'], [1, 3, 64, 64]],
    ['channels last', [1, 'h', 'w', 3], [1, 64, 64, 3]],
    ['a free width goes by the height', [1, 3, 16, 'w'], [1, 3, 16, 32]],
    ['without a batch', [3, 8, 8], [3, 8, 8]],
    ['every dimension free', ['n', 'c', 'h', 'w'], [1, 3, 64, 64]],
    ['a fixed batch', [2, 3, 8, 8], [2, 3, 8, 8]],
  ])('%s', async (_, shape, dims) => {
    expect((await values(model('float32', shape))).dims).toEqual(dims);
  });

  test('each picture is a sample, in subfolders too', async () => {
    const opened = await openSamples(PICTURES, model('float32', [1, 3, 8, 8])).catch(String);
    // The folder has a CMYK picture, which is not the first.
    expect(opened).toMatchObject({ count: goldens.decoded.length + 1 });
    const above = await openSamples(path.dirname(PICTURES), model('uint8', [1, 3, 8, 8]));
    expect(above.count).toBe(goldens.decoded.length + 1);
  });
});

describe('pictures that are refused', () => {
  const folder = temporaryFolder();
  const image = model('float32', [1, 3, 8, 8]);

  test.each([
    'rgb.png',
    'rgb.jpg',
    'progressive.jpg',
    'lossy.webp',
    'lossless.webp',
    'rgb.bmp',
    'palette.bmp',
  ])('%s cut short is named', async (name) => {
    const bytes = fs.readFileSync(picture(name));
    for (const length of [3, 20, 40, bytes.length >> 1, bytes.length - 20]) {
      const file = writeFile(folder, bytes.subarray(0, length), `cut-${length}-${name}`);
      await expect(openSamples([file], image)).rejects.toThrow(
        new RegExp(`${path.basename(file)}, picture: cannot be decoded as a picture`),
      );
    }
    expect((await values(image, {}, name)).dims).toEqual([1, 3, 8, 8]);
  });

  test('a picture of over 2^26 pixels is refused before it is decoded', async () => {
    const bytes = Buffer.from(fs.readFileSync(picture('rgb.png')));
    bytes.writeUInt32BE(60_000, 16);
    bytes.writeUInt32BE(60_000, 20);
    await expect(openSamples([writeFile(folder, bytes, 'huge.png')], image)).rejects.toThrow(
      /huge\.png, size: the picture is too large \(found 60000 x 60000 pixels/,
    );
  });

  test('CMYK is named', async () => {
    await expect(openSamples([picture('cmyk.jpg')], image)).rejects.toThrow(/cmyk\.jpg.*CMYK/);
  });

  test.each<[string, ModelFacts, RegExp]>([
    ['no input', model('float32', [1, 10]), /no input for pictures \(found x \(float32, 1 x 10\)/],
    [
      'several inputs',
      {
        ...image,
        inputs: [...image.inputs, { name: 'y', type: 'float32', shape: [1, 3, 8, 8] }],
      },
      /several inputs of the model take pictures .*\.npz/,
    ],
    [
      'another input',
      { ...image, inputs: [...image.inputs, { name: 'y', type: 'float32', shape: [1, 2] }] },
      /y: a sample has no array for the input/,
    ],
  ])('a model with %s for them', async (_, facts, message) => {
    await expect(openSamples([picture('rgb.png')], facts)).rejects.toThrow(message);
  });

  test('settings that do not fit the input are named', async () => {
    const open = (images: ImageSettings) => openSamples([picture('rgb.png')], image, { images });
    await expect(open({ channels: 'gray' })).rejects.toThrow(/images\.channels.*expected 3/);
    await expect(open({ size: [16, 8] })).rejects.toThrow(/images\.size.*expected 8 for height/);
    await expect(open({ mean: [1, 2] })).rejects.toThrow(/images\.mean.*1 or 3/);
  });
});
