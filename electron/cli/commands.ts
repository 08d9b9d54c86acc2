import { analyzeCommand } from './analyze.ts';
import { calibrateCommand } from './calibrate.ts';
import type { CommandDefinition } from './command.ts';
import { computerCommand } from './computer.ts';
import { dtypesCommand } from './dtypes.ts';
import { exportCommand } from './export.ts';
import { inspectCommand } from './inspect.ts';
import { numberCommand } from './number.ts';
import { planCommand } from './plan.ts';
import { recipesCommand } from './recipes.ts';
import { sensitivityCommand } from './sensitivity.ts';
import { verifyCommand } from './verify.ts';

/** Every command, in the order of help. A new one is a file and a line here. */
export const COMMANDS: readonly CommandDefinition[] = [
  inspectCommand,
  analyzeCommand,
  calibrateCommand,
  exportCommand,
  verifyCommand,
  planCommand,
  sensitivityCommand,
  recipesCommand,
  dtypesCommand,
  numberCommand,
  computerCommand,
];
