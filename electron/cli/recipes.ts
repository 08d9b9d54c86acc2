import { describeScheme, PRESETS } from '../../shared/recipe.ts';
import { JSON_OPTION, type CommandDefinition, type CommandInput } from './command.ts';
import { printJson } from './json.ts';
import { print } from './output.ts';

export const recipesCommand: CommandDefinition = {
  name: 'recipes',
  description: 'List the presets that --recipe takes by name.',
  arguments: [],
  options: [JSON_OPTION],
  examples: ['quantscope recipes', 'quantscope recipes --json'],
  run: recipes,
};

function recipes({ values }: CommandInput): void {
  if (values['json'] === true) printJson(PRESETS);
  else
    for (const { name, default: scheme, minElements } of PRESETS)
      print(
        `${name.padEnd(16)} ${scheme === null ? 'kept' : describeScheme(scheme)}, from ${minElements} elements`,
      );
}
