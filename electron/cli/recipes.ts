import { parseArgs } from 'node:util';
import { describeScheme, PRESETS } from '../../shared/recipe.ts';
import { toJson } from './output.ts';
import { UsageError } from './usage.ts';

/** quantscope recipes [--json] */
export function recipes(args: string[]): void {
  let json: boolean;
  try {
    json = parseArgs({ args, options: { json: { type: 'boolean' } } }).values.json === true;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
  if (json) console.log(toJson(PRESETS));
  else
    for (const { name, default: scheme, minElements } of PRESETS)
      console.log(
        `${name.padEnd(16)} ${scheme === null ? 'kept' : describeScheme(scheme)}, from ${minElements} elements`,
      );
}
