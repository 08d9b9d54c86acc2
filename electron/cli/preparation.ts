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
  const sides = size.map((side) => side ?? 'own').join(' x ');
  const how =
    `pictures become ${input}: resize ${resize} to ${sides}, ${channels}, ` +
    `mean ${mean?.join(' ')}, std ${std?.join(' ')}, ${layout}`;
  if (guessed.length === 0) return [how];
  return [how, `guessed from the input: ${guessed.join(', ')}; set them with --images`];
}

function soundInWords({ input, rate, window }: NonNullable<SamplesDescription['audio']>): string {
  const cut = window === null ? 'whole files' : `windows of ${window} samples`;
  return `sound becomes ${input}: one channel at ${rate} Hz, ${cut}`;
}
