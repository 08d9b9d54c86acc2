import { NUMBER_FORMATS } from '../../shared/number-formats.ts';
import { JSON_OPTION, type CommandDefinition, type CommandInput } from './command.ts';
import { printJson } from './json.ts';
import { print } from './output.ts';
import { toTable } from './table.ts';

export const dtypesCommand: CommandDefinition = {
  name: 'dtypes',
  description: 'List the number formats with their bits, limits and precision.',
  arguments: [],
  options: [JSON_OPTION],
  examples: ['quantscope dtypes', 'quantscope dtypes --json'],
  run: dtypes,
};

function dtypes({ values }: CommandInput): void {
  if (values['json'] === true) {
    printJson(NUMBER_FORMATS);
    return;
  }
  const rows = NUMBER_FORMATS.map((format) => [
    format.name,
    `${format.signBits}+${format.exponentBits}+${format.fractionBits}`,
    format.min,
    format.max,
    String(format.eps ?? '-'),
  ]);
  const head = ['format', 'sign+exponent+fraction', 'min', 'max', 'eps'];
  print(toTable([head, ...rows], new Set([1, 2, 3, 4])));
}
