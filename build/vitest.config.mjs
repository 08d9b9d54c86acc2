import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';
import { root } from './paths.mjs';

export default defineConfig({
  root,
  define: { __APP_VERSION__: JSON.stringify('0.0.0-test') },
  plugins: [svelte({ configFile: false })],
  test: {
    include: ['test/unit/**/*.test.ts'],
    globalSetup: 'build/unit-setup.mjs',
    environment: 'node',
    setupFiles: 'test/helpers/fast-equality.ts',
    // Worker threads share one process's memory; a test that crashes natively must not take others along.
    pool: 'forks',
    // The files of a process share its modules, which loads and compiles them once: a test restores what it changes.
    isolate: false,
    // One process: the workers and runtimes of the tests have the other core. A second one loads and compiles all modules again, and
    // takes turns with them: 201 instead of 182 s of processor time on two cores, though 124 instead of 162 s in all.
    maxWorkers: 1,
    // A larger young generation is collected less often: a tenth of the time.
    execArgv: ['--max-semi-space-size=64'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
});
