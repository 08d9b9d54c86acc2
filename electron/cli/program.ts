import * as fs from 'node:fs';
import { Command, CommanderError, Option } from 'commander';
import { printable } from '../../shared/errors.ts';
import { TOOL_VERSION } from '../engine/export/version.ts';
import {
  flagsOf,
  UsageError,
  usageOf,
  type CommandDefinition,
  type CommandInput,
  type Values,
} from './command.ts';
import { COMMANDS } from './commands.ts';
import { print } from './output.ts';

/**
 * Parse a command line and run its command; help and --version are printed on stdout.
 * @returns the exit status
 * @throws UsageError, whose message says which help to read; AppError
 */
export async function runProgram(args: readonly string[]): Promise<number> {
  let status = 0;
  const program = buildProgram((result) => (status = result));
  if (args.length === 0) {
    print(program.helpInformation().trimEnd());
    return 2;
  }
  try {
    await program.parseAsync(withNumbersLast(args), { from: 'user' });
    return status;
  } catch (error) {
    if (error instanceof UsageError)
      throw new UsageError(`${error.message}; see ${helpFor(args)} --help`);
    if (!(error instanceof CommanderError)) throw error;
    // Help and the version are errors of status 0 to commander.
    if (error.exitCode === 0) return 0;
    const [first = ''] = args;
    if (error.code === 'commander.unknownCommand' && fs.existsSync(first))
      throw new UsageError(
        `${printable(first)} is not a command: a command must come before a file, as in quantscope inspect ${printable(first)}; see quantscope --help`,
      );
    const message = error.message
      .replace(/^error: /, '')
      .replace(/\s*\n\s*/g, ' ')
      .replace(/\.$/, '');
    throw new UsageError(`${printable(message)}; see ${helpFor(args)} --help`);
  }
}

function buildProgram(onStatus: (status: number) => void): Command {
  const program = new Command('quantscope')
    .description(
      'See what quantization costs and saves, layer by layer, and write quantized models.',
    )
    .version(TOOL_VERSION, '--version', 'Print the version.')
    .helpOption('-h, --help', 'Print this help.')
    .helpCommand('help [command]', 'Print the help of a command.')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => {
        print(text.trimEnd());
      },
      writeErr: () => undefined,
    })
    .addHelpText('after', '\nEach command has its own help: quantscope export --help');
  for (const definition of COMMANDS) addCommand(program, definition, onStatus);
  return program;
}

function addCommand(
  program: Command,
  definition: CommandDefinition,
  onStatus: (status: number) => void,
): void {
  const { name, description, options, examples, run } = definition;
  const command = program
    .command(name)
    .description(description)
    .usage(usageOf(definition).slice(name.length + 1))
    .helpOption('-h, --help', 'Print this help.')
    .allowExcessArguments(false);
  for (const argument of definition.arguments)
    command.argument(`[${argument.name}]`, argument.description);
  for (const option of options) {
    const flags =
      option.value === undefined || option.isValueOptional === true
        ? flagsOf(option)
        : `--${option.name} <${option.value}>`;
    command.addOption(new Option(flags, option.description));
  }
  const lines = examples.map((example) => `  $ ${example}`).join('\n');
  command.addHelpText('after', `\nExamples:\n${lines}`);
  command.action(async () => {
    onStatus((await run(inputOf(definition, command))) ?? 0);
  });
}

/** @throws UsageError when an argument or a required option is missing */
function inputOf(definition: CommandDefinition, command: Command): CommandInput {
  const missing = definition.arguments[command.args.length];
  if (missing !== undefined) throw new UsageError(`${missing.name} is missing`);
  const found = command.optsWithGlobals<Record<string, string | boolean>>();
  const values: Values = Object.fromEntries(
    definition.options.map(({ name }) => [name, found[camelCase(name)]]),
  );
  for (const { name, required, value } of definition.options) {
    const isMissing = values[name] === undefined && required === true;
    if (isMissing || (value !== undefined && values[name] === ''))
      throw new UsageError(`--${name} is missing`);
  }
  return { positionals: command.args, values };
}

/** commander's name of an option's value. */
function camelCase(name: string): string {
  return name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}

/** A value such as -1/3 looks like an option, so that options go before it, and -- between. */
function withNumbersLast(args: readonly string[]): string[] {
  const [name, ...rest] = args;
  if (COMMANDS.find((command) => command.name === name)?.takesNumbers !== true) return [...args];
  const isOption = (argument: string): boolean => argument.startsWith('--') || argument === '-h';
  const numbers = rest.filter((argument) => !isOption(argument));
  const options = rest.filter((argument) => isOption(argument) && argument !== '--');
  return [name!, ...options, '--', ...numbers];
}

function helpFor([name]: readonly string[]): string {
  const isKnown = COMMANDS.some((command) => command.name === name);
  return isKnown ? `quantscope ${name}` : 'quantscope';
}
