import { printable } from '../../shared/errors.ts';
import type { SamplesDescription } from '../../shared/samples.ts';
import { printError } from './output.ts';

/** Say how samples became inputs, and what they are worth. */
export function printUnderstood(description: SamplesDescription): void {
  printPreparation(description);
  for (const warning of description.warnings)
    printError(`quantscope: warning: ${printable(warning)}`);
}

/** Say how pictures and sounds became inputs. */
export function printPreparation(description: Parameters<typeof preparationInWords>[0]): void {
  for (const sentence of preparationInWords(description))
    printError(`quantscope: ${printable(sentence)}`);
}

/** How files become inputs, where that is more than to read arrays: a sentence each. */
export function preparationInWords({
  images,
  audio,
}: Pick<SamplesDescription, 'images' | 'audio'>): readonly string[] {
  return [
    ...(images === null ? [] : picturesInWords(images)),
    ...(audio === null ? [] : [soundInWords(audio)]),
  ];
}

function picturesInWords({
  input,
  settings,
  guessed,
}: NonNullable<SamplesDescription['images']>): readonly string[] {
  const { resize, size, channels, mean, std, layout } = settings;
  const how =
    `pictures become ${input}: resize ${resize} to ${sizeInWords(size)}, ${channels}, ` +
    `mean ${mean?.join(' ')}, std ${std?.join(' ')}, ${layout}`;
  if (guessed.length === 0) return [how];
  return [how, `guessed from the input: ${guessed.join(', ')}; set them with --images`];
}

/** Height and width, of which a picture has its own where the input leaves them free. */
function sizeInWords([height, width]: NonNullable<
  SamplesDescription['images']
>['settings']['size']): string {
  if (height !== null && width !== null) return `${height} x ${width}`;
  if (height !== null) return `height ${height} and the width in proportion`;
  if (width !== null) return `width ${width} and the height in proportion`;
  return "each picture's own size";
}

function soundInWords({ input, rate, window }: NonNullable<SamplesDescription['audio']>): string {
  const cut = window === null ? 'whole files' : `windows of ${window} samples`;
  return `sound becomes ${input}: one channel at ${rate} Hz, ${cut}`;
}
