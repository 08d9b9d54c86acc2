import * as fs from 'node:fs';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import { COMMANDS } from '../../../electron/cli/commands.ts';
import { cliReference } from '../../../electron/cli/reference.ts';
import { parseRecipe } from '../../../shared/recipe-file.ts';
import { PRESET_DESCRIPTIONS } from '../../../shared/presets.ts';
import { root } from '../../helpers/root.ts';

const page = fs.readFileSync(path.join(root, 'docs/cli.md'), 'utf8');

test('docs/cli.md is what npm run docs:cli writes', () => {
  expect(page).toBe(cliReference(COMMANDS, PRESET_DESCRIPTIONS));
});

test('docs/cli.md has every command, option and preset', () => {
  for (const { name, options } of COMMANDS) {
    expect(page).toContain(`### ${name}\n`);
    for (const option of options) expect(page).toContain(`--${option.name}`);
  }
  for (const name of Object.keys(PRESET_DESCRIPTIONS)) expect(page).toContain(`| \`${name}\` |`);
});

test('the recipe that docs/cli.md shows is a valid one', () => {
  const text = /```json\n([^]*?)```/.exec(page)?.[1] ?? '';
  expect(parseRecipe(JSON.parse(text)).rules).toHaveLength(2);
});
