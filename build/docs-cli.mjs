// Writes docs/cli.md from the definitions of the commands.
import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from './paths.mjs';
import { buildScripts } from './scripts.mjs';

const outDir = path.join(root, '.cache/docs-cli');
await buildScripts(outDir, {
  commands: 'electron/cli/commands.ts',
  reference: 'electron/cli/reference.ts',
  presets: 'shared/presets.ts',
});
// The commands look for their workers beside themselves, as CommonJS does.
globalThis.__dirname = outDir;
const load = (name) => import(pathToFileURL(path.join(outDir, `${name}.mjs`)).href);
const { COMMANDS } = await load('commands');
const { cliReference } = await load('reference');
const { PRESET_DESCRIPTIONS } = await load('presets');
fs.writeFileSync(path.join(root, 'docs/cli.md'), cliReference(COMMANDS, PRESET_DESCRIPTIONS));
console.log('docs/cli.md is written');
