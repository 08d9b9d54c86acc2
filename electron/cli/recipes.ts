import { PRESET_DESCRIPTIONS, PRESETS } from '../../shared/presets.ts';
import { describeScheme, schemeOf } from '../../shared/scheme.ts';
import { JSON_OPTION, type CommandDefinition, type CommandInput } from './command.ts';
import { printJson } from './json.ts';
import { print } from './output.ts';
import { toTable } from './table.ts';

export const recipesCommand: CommandDefinition = {
  name: 'recipes',
  description: 'List the presets that --recipe takes by name.',
  arguments: [],
  options: [JSON_OPTION],
  examples: ['quantscope recipes', 'quantscope recipes --json'],
  run: recipes,
};

function recipes({ values }: CommandInput): void {
  const described = PRESETS.map((preset) => ({
    ...preset,
    description: PRESET_DESCRIPTIONS[preset.name] ?? '',
  }));
  if (values['json'] === true) return printJson(described);
  const rows = described.map(({ name, default: scheme, minElements, description }) => [
    name,
    scheme === null ? 'kept' : describeScheme(schemeOf(scheme)),
    `from ${minElements} elements`,
    description,
  ]);
  print(toTable([['preset', 'scheme', 'tensors', 'description'], ...rows], new Set()));
  print(
    'In mode static, operators on integers take weights of any size: the least number of elements has no effect on them.',
  );
}
