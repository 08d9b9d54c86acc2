import path from 'node:path';
import { defineConfig } from '@playwright/test';
import { root } from './paths.mjs';

export default defineConfig({
  projects: [
    {
      name: 'e2e',
      testDir: path.join(root, 'test/e2e'),
      // V8's last tier compiles for longer than the code runs that a test warms up: a sixth of the processor's time.
      use: { switches: ['--js-flags=--no-opt'] },
    },
    // The packaged app: npm run test:package.
    { name: 'package', testDir: path.join(root, 'test/package') },
    // Measures the page and judges nothing: npm run bench:page.
    { name: 'bench', testDir: path.join(root, 'test/bench'), timeout: 600_000 },
    // Draws README's picture and every view for whoever changes the page: npm run pictures.
    { name: 'pictures', testDir: path.join(root, 'test/pictures'), timeout: 300_000 },
  ],
  outputDir: path.join(root, 'test-results'),
  // Charts as SVG, the same on every system.
  snapshotPathTemplate: path.join(root, 'test/fixtures/charts/{arg}{ext}'),
  // One window at a time: two would fight for focus and for the two cores.
  workers: 1,
  timeout: 90_000,
  expect: { timeout: 15_000 },
  reporter: [
    ['list'],
    ...(process.env['QUANTSCOPE_COUNTS']
      ? [['json', { outputFile: process.env['QUANTSCOPE_COUNTS'] }]]
      : []),
  ],
  forbidOnly: true,
});
