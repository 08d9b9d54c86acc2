// Lints everything, or the files that are named. Two linters with the same rules: oxlint checks TypeScript natively, in
// a tenth of the time, and reports what the compiler says of each file in its layer; ESLint knows Svelte.
import { run, seldomCollected } from './run.mjs';

const files = process.argv.slice(2);

/** Svelte's own files and scripts, which ESLint checks, and AssemblyScript, whose types only its own compiler knows. */
const IGNORED = [
  '*.svelte',
  '*.mjs',
  'test/fixtures',
  'test/reference',
  'electron/engine/kernels/assembly',
];

const LINTERS = [
  [
    ...['node_modules/oxlint/bin/oxlint', '--config', '.oxlintrc.json', '--quiet'],
    ...['--type-aware', '--type-check', '--no-error-on-unmatched-pattern'],
    ...IGNORED.flatMap((pattern) => ['--ignore-pattern', pattern]),
    ...(files.length > 0 ? files : ['shared', 'electron', 'renderer', 'test']),
  ],
  [
    ...['node_modules/eslint/bin/eslint.js', '--config', 'build/eslint.config.mjs'],
    '--no-warn-ignored',
    ...(files.length > 0 ? files : ['.']),
  ],
];

try {
  for (const linter of LINTERS) run(process.execPath, linter, { env: seldomCollected });
} catch {
  process.exitCode = 1; // The linter has said why.
}
