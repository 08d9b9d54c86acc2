import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';
import { root } from './paths.mjs';

export default defineConfig({
  root,
  define: { __APP_VERSION__: JSON.stringify('0.0.0-test') },
  plugins: [svelte({ configFile: false })],
  test: {
    globalSetup: 'build/unit-setup.mjs',
    include: ['test/unit/**/*.test.ts'],
    environment: 'node',
    // Worker threads share one process's memory; a test that crashes natively must not take others along.
    pool: 'forks',
    testTimeout: 30_000,
  },
});
