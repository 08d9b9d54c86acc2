import svelte from 'eslint-plugin-svelte';
import ts from 'typescript-eslint';
import { root } from './paths.mjs';
import { componentParser } from './svelte-program.mjs';

// Svelte's files and the scripts of build/. The other files of TypeScript are oxlint's, with the same rules: .oxlintrc.json.
const COMPONENTS = ['**/*.svelte', '**/*.svelte.ts'];

export default ts.config(
  {
    ignores: [
      'dist/',
      'release/',
      '.cache/',
      'test-results/',
      'test/fixtures/',
      'test/reference/',
      '**/*.ts',
      '!**/*.svelte.ts',
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
    files: COMPONENTS,
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
    // Rules that need types.
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
  { files: COMPONENTS, extends: svelte.configs.recommended },
  {
    files: COMPONENTS,
    languageOptions: { parserOptions: { parser: componentParser } },
    rules: { 'no-undef': 'off', 'prefer-const': 'off' },
  },
  {
    files: COMPONENTS,
    rules: {
      // Each element of a spread takes stack, which a list of a file's 200,000 tensors overflows.
      'no-restricted-syntax': [
        'error',
        {
          selector:
            'CallExpression[callee.property.name=/^(push|unshift|splice|min|max|fromCharCode|fromCodePoint)$/] > SpreadElement',
          message:
            'a long list overflows the stack: use append, largest or smallest of shared/lists.ts',
        },
      ],
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            { regex: '^electron($|/)', message: 'this layer runs without Electron' },
            { regex: '^node:', message: 'this layer has no Node' },
            {
              regex: '(^|/)electron/',
              message: 'imports go down only: this layer does not use electron/',
            },
          ],
        },
      ],
    },
  },
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
