import type { Feeds, SampleGroup } from '../sample-group.ts';
import { decodePicture } from './decode-picture.ts';
import type { PictureInput } from './picture-input.ts';
import { pictureValues } from './picture-values.ts';
import type { Pixels } from './resample.ts';

export const PICTURE_EXTENSIONS = ['.png', '.jpg', '.jpeg', '.webp', '.bmp'];

/** A sample for each picture; for a fixed batch of several, of so many pictures, the last ones filled up from the first. */
export function pictureGroups(files: readonly string[], wanted: PictureInput): SampleGroup[] {
  const { batch } = wanted;
  return Array.from({ length: Math.ceil(files.length / batch) }, (_, group) => {
    const own = Array.from(
      { length: batch },
      (_, index) => files[(group * batch + index) % files.length]!,
    );
    return { kind: 'image', files: own, place: own[0]!, steps: 1, read: () => read(own, wanted) };
  });
}

async function read(files: readonly string[], wanted: PictureInput): Promise<Feeds> {
  const pictures: Pixels[] = [];
  for (const file of files) pictures.push(await decodePicture(file));
  // So that an input may be called __proto__.
  return Object.fromEntries([[wanted.input.name, pictureValues(pictures, wanted)]]);
}
