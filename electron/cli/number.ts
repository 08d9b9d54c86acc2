import { printable } from '../../shared/errors.ts';
import { parseNumber, storeEverywhere } from '../../shared/number-in-formats.ts';
import { JSON_OPTION, UsageError, type CommandDefinition, type CommandInput } from './command.ts';
import { printJson } from './json.ts';
import { print } from './output.ts';
import { toTable } from './table.ts';

export const numberCommand: CommandDefinition = {
  name: 'number',
  description: 'Show how every number format stores a value.',
  arguments: [
    { name: 'VALUE', description: 'A decimal, a fraction such as 1/3, or a whole number in hex.' },
  ],
  options: [JSON_OPTION],
  examples: ['quantscope number 0.1', 'quantscope number -1/3 --json', 'quantscope number 0x7f'],
  takesNumbers: true,
  run: number,
};

function number({ positionals, values }: CommandInput): void {
  const text = positionals[0]!;
  const value = parseNumber(text);
  if (value === null)
    throw new UsageError(
      `${printable(text)} is not a number; VALUE must be a decimal, a fraction such as 1/3 or a whole number in hex`,
    );
  // The exact value is in the text; as a pair of big integers JSON has no place for it.
  const facts = storeEverywhere(value).map(({ value: _, step: __, ...rest }) => rest);
  if (values['json'] === true) {
    printJson(facts);
    return;
  }
  const rows = facts.map((fact) => [
    fact.format,
    fact.hex,
    fact.stored,
    fact.relativeError?.toPrecision(3) ?? '-',
    fact.ulps?.toPrecision(3) ?? '-',
  ]);
  const head = ['format', 'hex', 'stored', 'relative error', 'ulps'];
  print(toTable([head, ...rows], new Set([1, 2, 3, 4])));
}
