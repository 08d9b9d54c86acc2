import { describeScheme, PRESETS } from '../../shared/recipe.ts';
import { toJson } from './output.ts';
import { wantsJson } from './usage.ts';

/** quantscope recipes [--json] */
export function recipes(args: string[]): void {
  if (wantsJson(args)) console.log(toJson(PRESETS));
  else
    for (const { name, default: scheme, minElements } of PRESETS)
      console.log(
        `${name.padEnd(16)} ${scheme === null ? 'kept' : describeScheme(scheme)}, from ${minElements} elements`,
      );
}
