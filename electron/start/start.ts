import { commandLineArguments } from './arguments.ts';

// Neither loads the other's code: the start of the window is what people wait for.
const args = commandLineArguments(process.argv);
if (args === null) void import('../main/main.ts');
else void import('./command-line.ts').then(({ runInApp }) => runInApp(args));
