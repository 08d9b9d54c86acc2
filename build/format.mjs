// Formats everything, or the files that are named; with --check says which files are not formatted, and changes none.
// oxfmt writes what Prettier writes in a third of its time; .prettierignore says what is left as it is.
import { run } from './run.mjs';

const OXFMT = 'node_modules/oxfmt/bin/oxfmt';

try {
  run(process.execPath, [OXFMT, '--config', 'build/oxfmt.json', ...process.argv.slice(2)]);
} catch {
  process.exitCode = 1; // The formatter has said why.
}
