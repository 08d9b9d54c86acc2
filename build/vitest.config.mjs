import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';
import { root } from './paths.mjs';

// Folders whose tests keep nothing in a module: their files share one process and its modules, which halves their time.
const SHARED = ['litert', 'onnx', 'quantize', 'renderer', 'safetensors', 'shared'].map(
  (folder) => `test/unit/${folder}/**/*.test.ts`,
);

function project(name, isolate, include, exclude = []) {
  return { extends: true, test: { name, isolate, include, exclude } };
}

export default defineConfig({
  root,
  define: { __APP_VERSION__: JSON.stringify('0.0.0-test') },
  plugins: [svelte({ configFile: false })],
  test: {
    globalSetup: 'build/unit-setup.mjs',
    environment: 'node',
    // Worker threads share one process's memory; a test that crashes natively must not take others along.
    pool: 'forks',
    // One process for each core: by default a core is left free, which doubles the time on two.
    maxWorkers: '100%',
    testTimeout: 30_000,
    projects: [
      project('shared modules', false, SHARED),
      project('own modules', true, ['test/unit/**/*.test.ts'], SHARED),
    ],
  },
});
