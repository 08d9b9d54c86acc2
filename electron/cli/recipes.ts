import { describeScheme, PRESETS } from '../../shared/recipe.ts';
import { printJson } from './json.ts';
import { print } from './output.ts';
import { wantsJson } from './usage.ts';

/** quantscope recipes [--json] */
export function recipes(args: string[]): void {
  if (wantsJson(args)) printJson(PRESETS);
  else
    for (const { name, default: scheme, minElements } of PRESETS)
      print(
        `${name.padEnd(16)} ${scheme === null ? 'kept' : describeScheme(scheme)}, from ${minElements} elements`,
      );
}
