import { featureWords } from '../../shared/computer.ts';
import { thisComputer } from '../engine/computer/this-computer.ts';
import { JSON_OPTION, type CommandDefinition, type CommandInput } from './command.ts';
import { printJson } from './json.ts';
import { print } from './output.ts';
import { toTable } from './table.ts';

export const computerCommand: CommandDefinition = {
  name: 'computer',
  description: 'Show what this computer can compute with.',
  arguments: [],
  options: [JSON_OPTION],
  examples: ['quantscope computer', 'quantscope computer --json'],
  run: computer,
};

function computer({ values }: CommandInput): void {
  const found = thisComputer();
  if (values['json'] === true) {
    printJson(found);
    return;
  }
  const { processor, architecture, platform, cores, memoryBytes, features } = found;
  const memory = `${(memoryBytes / 2 ** 30).toFixed(1)} GiB`;
  const name = processor === '' ? 'processor without a name' : processor;
  print(`${name}, ${architecture}, ${platform}, ${cores} cores, ${memory}\n`);
  const rows = features.map((fact) => {
    const { title, answer, meaning } = featureWords(fact);
    return [title, answer, fact.flags.join(' '), meaning];
  });
  print(toTable([['has it', '', 'by', ''], ...rows], new Set()));
}
