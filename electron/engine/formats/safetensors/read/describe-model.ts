import * as fs from 'node:fs';
import * as path from 'node:path';
import { FileSource } from '../../../source.ts';

/** A configuration is a few kilobytes; what is longer than this is none. */
const MAX_CONFIG_BYTES = 4 << 20;
/** Longer words would crowd out the rest of the line that they stand in. */
const MAX_WORD = 80;

/** What wrote the file, by the word that its metadata names its framework with. */
const FRAMEWORKS: Readonly<Record<string, string>> = {
  pt: 'PyTorch',
  tf: 'TensorFlow',
  flax: 'Flax',
  mlx: 'MLX',
  np: 'NumPy',
};

/**
 * A model's name and maker for display: from config.json beside it, and the framework that its
 * metadata names. What is not there, or not as it should be, is left out.
 */
export function producerOf(file: string, metadata: ReadonlyMap<string, string>): string {
  const format = metadata.get('format') ?? '';
  const framework = Object.hasOwn(FRAMEWORKS, format) ? FRAMEWORKS[format] : undefined;
  const config = readConfig(path.join(path.dirname(file), 'config.json'));
  const words = [config['model_type'], config['_name_or_path'], framework].filter(
    (word): word is string => typeof word === 'string' && word !== '' && word.length <= MAX_WORD,
  );
  return words.join(' · ');
}

function readConfig(file: string): Readonly<Record<string, unknown>> {
  try {
    if (fs.lstatSync(file).size > MAX_CONFIG_BYTES) return {};
    const source = FileSource.open(file);
    try {
      if (source.size > MAX_CONFIG_BYTES) return {};
      const value: unknown = JSON.parse(Buffer.from(source.read(0, source.size)).toString('utf8'));
      return typeof value === 'object' && value !== null
        ? (value as Readonly<Record<string, unknown>>)
        : {};
    } finally {
      source.close();
    }
  } catch {
    return {}; // A model opens without its configuration.
  }
}
