// Lints everything, or the files that are named. Two linters, each where it is best: oxlint checks the rules that need
// types on the native compiler, in a tenth of the time; ESLint knows Svelte and our own rules.
import { run } from './run.mjs';

const files = process.argv.slice(2);

const LINTERS = [
  [
    ...['node_modules/oxlint/bin/oxlint', '--type-aware', '--config', 'build/oxlint.json'],
    ...['--quiet', '--ignore-pattern', '*.mjs', '--ignore-pattern', 'test/fixtures'],
    ...(files.length > 0 ? files : ['shared', 'electron', 'renderer', 'test']),
  ],
  [
    ...['node_modules/eslint/bin/eslint.js', '--config', 'build/eslint.config.mjs'],
    ...(files.length > 0 ? files : ['.']),
  ],
];

try {
  for (const linter of LINTERS) run(process.execPath, linter);
} catch {
  process.exitCode = 1; // The linter has said why.
}
