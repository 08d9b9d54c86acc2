/** An option of a command. A flag has no value; every other option has one, and comes at most once. */
export interface OptionDefinition {
  readonly name: string;
  /** What stands for the value in help, such as FILE; absent for a flag. */
  readonly value?: string;
  /** The option may stand without its value. */
  readonly isValueOptional?: boolean;
  readonly description: string;
  readonly required?: boolean;
}

/** The options given on the command line, by their names without the dashes. */
export type Values = Readonly<Record<string, string | boolean | undefined>>;

export interface CommandInput {
  /** As many as the command has arguments. */
  readonly positionals: readonly string[];
  readonly values: Values;
}

/** One command: what help and docs/cli.md say of it, and what it does. */
export interface CommandDefinition {
  readonly name: string;
  /** One sentence. */
  readonly description: string;
  readonly arguments: readonly { readonly name: string; readonly description: string }[];
  readonly options: readonly OptionDefinition[];
  readonly examples: readonly string[];
  /** Whether an argument may be a negative number, such as -1/3. */
  readonly takesNumbers?: boolean;
  /**
   * Do it.
   * @returns the exit status, 0 where nothing is returned
   * @throws UsageError or AppError
   */
  readonly run: (input: CommandInput) => Promise<number | void> | number | void;
}

/** The command line itself is wrong: exit status 2. */
export class UsageError extends Error {}

export const JSON_OPTION: OptionDefinition = {
  name: 'json',
  description: 'Print JSON on stdout, and errors as JSON on stderr.',
};

export const RECIPE_OPTION: OptionDefinition = {
  name: 'recipe',
  value: 'R',
  description: 'The name of a preset (see quantscope recipes) or a recipe file.',
  required: true,
};

export const MODEL_ARGUMENT = {
  name: 'MODEL',
  description: 'An ONNX, safetensors or LiteRT model, or a folder that holds one.',
};

/** How a command is called, without the program's name. */
export function usageOf({ name, arguments: positionals, options }: CommandDefinition): string {
  const isRequired = (option: OptionDefinition): boolean => option.required === true;
  return [
    name,
    ...positionals.map((argument) => argument.name),
    ...options.filter(isRequired).map(flagsOf),
    ...(options.every(isRequired) ? [] : ['[options]']),
  ].join(' ');
}

/** An option as it is typed: `--out FILE`. */
export function flagsOf({ name, value, isValueOptional }: OptionDefinition): string {
  if (value === undefined) return `--${name}`;
  return isValueOptional === true ? `--${name} [${value}]` : `--${name} ${value}`;
}
