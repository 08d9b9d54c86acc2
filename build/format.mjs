// Formats everything, or the files that are named; with --check says which files are not formatted, and changes none.
// oxfmt writes what Prettier writes in a third of its time; .prettierignore says what is left as it is. On one thread: Svelte's
// files take nearly all of it, and each thread would load and warm up their formatter for itself.
import { run } from './run.mjs';

const OXFMT = 'node_modules/oxfmt/bin/oxfmt';

try {
  const options = ['--config', 'build/oxfmt.json', '--threads=1'];
  run(process.execPath, [OXFMT, ...options, ...process.argv.slice(2)]);
} catch {
  process.exitCode = 1; // The formatter has said why.
}
