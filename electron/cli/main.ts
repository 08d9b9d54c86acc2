import { printable, toErrorData } from '../../shared/errors.ts';
import { analyze } from './analyze.ts';
import { computer } from './computer.ts';
import { dtypes } from './dtypes.ts';
import { exportModel } from './export.ts';
import { inspect } from './inspect.ts';
import { interruptStatus, watchOutput } from './interrupt.ts';
import { number } from './number.ts';
import { plan } from './plan.ts';
import { recipes } from './recipes.ts';
import { verify } from './verify.ts';
import { UsageError } from './usage.ts';
import { print, printError } from './output.ts';

type Command = (args: string[]) => Promise<void> | void;

const commands: Readonly<Record<string, Command>> = {
  inspect,
  analyze,
  export: exportModel,
  verify,
  plan,
  recipes,
  dtypes,
  number,
  computer,
};

const HELP = `usage:
  quantscope inspect MODEL [--json]
  quantscope analyze MODEL --recipe R [--versus R2] [--mode M] [--json | --csv FILE]
  quantscope export  MODEL --recipe R --out FILE [--mode qdq|dynamic|float|float16|nbits|cast]
                     [--overwrite] [--json]
  quantscope verify  MODEL EXPORTED [--samples N] [--seed S] [--inputs DIR] [--json]
  quantscope plan    MODEL --recipe R (--max-bytes N | --min-sqnr DB) [--mode M] [--candidates S,S] [--out RECIPE.json] [--json]
  quantscope recipes [--json]
  quantscope dtypes [--json]
  quantscope number  VALUE [--json]
  quantscope computer [--json]

R is the name of a preset (see quantscope recipes) or a recipe file. --overwrite lets an export replace files that
have the names of its side files or shards and are not part of the model that it replaces.`;

async function run(): Promise<number> {
  const [name, ...args] = process.argv.slice(2);
  if (name === undefined || name === '--help' || name === '-h' || args.includes('--help')) {
    print(HELP);
    return name === undefined ? 2 : 0;
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  try {
    if (command === undefined) throw new UsageError(`there is no command ${printable(name)}`);
    await command(args);
    return 0;
  } catch (error) {
    if (error instanceof UsageError) {
      printError(`quantscope: ${error.message}\n${HELP}`);
      return 2;
    }
    const { code, message } = toErrorData(error);
    printError(`quantscope: ${code}: ${message}`);
    return (code === 'CANCELLED' ? interruptStatus() : null) ?? 1;
  }
}

watchOutput();
void run().then((status) => {
  process.exitCode = status;
});
