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
    // One process for each core: by default a core is left free, which doubles the time on two.
    maxWorkers: '100%',
    // A larger young generation is collected less often: a tenth of the time.
    execArgv: ['--max-semi-space-size=64'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
});
