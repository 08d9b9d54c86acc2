import { parseArgs } from 'node:util';
import { printable } from '../../shared/errors.ts';
import { parseNumber, storeEverywhere } from '../../shared/number-in-formats.ts';
import { printJson } from './json.ts';
import { print, toTable } from './output.ts';
import { UsageError } from './usage.ts';

/** quantscope number VALUE [--json] */
export function number(args: string[]): void {
  const { text, json } = parse(args);
  const value = parseNumber(text);
  if (value === null)
    throw new UsageError(`${printable(text)} is no decimal, fraction (1/3) or whole number in hex`);
  // The exact value is in the text; as a pair of big integers JSON has no place for it.
  const facts = storeEverywhere(value).map(({ value: _, step: __, ...rest }) => rest);
  if (json) {
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

function parse(args: string[]): { text: string; json: boolean } {
  // A value such as -0.5 looks like an option to parseArgs, so options are taken out first.
  const values = args.filter((argument) => !argument.startsWith('--'));
  const options = args.filter((argument) => argument.startsWith('--'));
  try {
    const { values: found } = parseArgs({ args: options, options: { json: { type: 'boolean' } } });
    const [text] = values;
    if (text === undefined || values.length > 1) throw new Error('give one VALUE');
    return { text, json: found.json === true };
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}
