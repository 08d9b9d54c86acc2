import svelte from 'eslint-plugin-svelte';
import ts from 'typescript-eslint';
import { root } from './paths.mjs';

/** Imports go down only: what a layer may not name, by the reason that the message gives. */
function forbid(files, patterns, paths = []) {
  return {
    files,
    rules: {
      'no-restricted-imports': [
        'error',
        { paths, patterns: patterns.map(([regex, message]) => ({ regex, message })) },
      ],
    },
  };
}
const ELECTRON = ['^electron($|/)', 'this layer runs without Electron'];
const NODE = ['^node:', 'this layer has no Node'];
const OTHER = (name) => [`(^|/)${name}/`, `imports go down only: this layer does not use ${name}/`];
const IPC_MAIN = {
  name: 'electron',
  importNames: ['ipcMain'],
  message: 'only electron/main/ipc.ts touches ipcMain',
};

export default ts.config(
  {
    ignores: [
      'dist/',
      'release/',
      '.cache/',
      'test-results/',
      'test/fixtures/',
      'test/reference/',
      // AssemblyScript, whose types only its own compiler knows.
      'electron/engine/kernels/assembly/',
    ],
  },
  {
    rules: {
      eqeqeq: 'error',
      'no-var': 'error',
      'prefer-const': 'error',
      'no-console': 'off',
      'no-debugger': 'error',
      'no-empty': 'error',
      'no-fallthrough': 'error',
      'no-self-assign': 'error',
      'no-self-compare': 'error',
      'no-constant-condition': ['error', { checkLoops: 'allExceptWhileTrue' }],
      'no-unsafe-finally': 'error',
      'no-useless-escape': 'error',
      'no-promise-executor-return': 'error',
      'no-eval': 'error',
      'no-new-func': 'error',
    },
  },
  {
    files: ['**/*.ts', '**/*.svelte'],
    extends: [...ts.configs.recommended],
    rules: {
      // The compiler knows every name, with each layer's own library.
      'no-undef': 'off',
      // shared/errors.ts escapes control characters on purpose.
      'no-control-regex': 'off',
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_' },
      ],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
    },
  },
  {
    // Rules that need types. Those of the other files are checked by oxlint, with the same settings: oxlint.json.
    files: ['**/*.svelte'],
    extends: [...ts.configs.recommendedTypeCheckedOnly],
    languageOptions: {
      parserOptions: {
        tsconfigRootDir: root,
        project: './renderer/tsconfig.json',
        extraFileExtensions: ['.svelte'],
      },
    },
    rules: {
      '@typescript-eslint/no-misused-promises': [
        'error',
        { checksVoidReturn: { attributes: false } },
      ],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
    },
  },
  ...svelte.configs.recommended,
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: { parserOptions: { parser: ts.parser } },
    rules: { 'no-undef': 'off', 'prefer-const': 'off' },
  },
  {
    // Each element of a spread takes stack, which a list of a file's 200,000 tensors overflows.
    files: ['shared/**', 'electron/**', 'renderer/**'],
    rules: {
      'no-restricted-syntax': [
        'error',
        {
          selector:
            'CallExpression[callee.property.name=/^(push|unshift|splice|min|max|fromCharCode|fromCodePoint)$/] > SpreadElement',
          message:
            'a long list overflows the stack: use append, largest or smallest of shared/lists.ts',
        },
      ],
    },
  },
  forbid(['shared/**'], [ELECTRON, NODE, OTHER('electron'), OTHER('renderer')]),
  // What main and the engine both write with: they must not import each other.
  forbid(['electron/files/**'], [ELECTRON, ...['main', 'engine', 'cli', 'renderer'].map(OTHER)]),
  forbid(['electron/engine/**'], [ELECTRON, OTHER('main'), OTHER('cli'), OTHER('renderer')]),
  forbid(['electron/cli/**'], [ELECTRON, OTHER('main'), OTHER('renderer')]),
  forbid(['electron/main/**'], [OTHER('engine'), OTHER('cli'), OTHER('renderer')], [IPC_MAIN]),
  forbid(['electron/main/ipc.ts'], [OTHER('engine'), OTHER('cli'), OTHER('renderer')]),
  forbid(['electron/start/**'], [OTHER('renderer')], [IPC_MAIN]),
  forbid(
    ['electron/preload.ts'],
    [NODE, OTHER('main'), OTHER('engine'), OTHER('files'), OTHER('renderer')],
  ),
  forbid(['renderer/**'], [ELECTRON, NODE, OTHER('electron')]),
  {
    files: ['**/*.mjs'],
    languageOptions: {
      globals: {
        process: 'readonly',
        console: 'readonly',
        Buffer: 'readonly',
        URL: 'readonly',
        setTimeout: 'readonly',
        clearTimeout: 'readonly',
        fetch: 'readonly',
      },
    },
  },
);
