import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { VIEWS } from '../../../shared/views.ts';
import { root } from '../../helpers/root.ts';

function read(file: string): string {
  return fs.readFileSync(path.join(root, file), 'utf8');
}

function filesIn(folder: string): readonly string[] {
  return fs
    .readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(ts|svelte)$/.test(name))
    .map((name) => path.posix.join(folder, name.split(path.sep).join('/')))
    .sort();
}

/** The views' files, as the page's table of views imports them. */
const pages = [...read('renderer/views/pages.ts').matchAll(/from '\.\/(\w+\.svelte)'/g)].map(
  ([, file]) => `renderer/views/${file!}`,
);

describe('the page', () => {
  test('lets only App and the views know the workbench', () => {
    const knowing = filesIn('renderer').filter((file) =>
      read(file).includes("workbench.svelte.ts'"),
    );
    expect(knowing).toEqual(['renderer/App.svelte', ...pages, 'renderer/views/pages.ts'].sort());
  });

  test('has a file for each view of the table, and no other but Welcome', () => {
    const titles = VIEWS.map(({ title }) => `renderer/views/${title}.svelte`);
    expect(filesIn('renderer/views').filter((file) => file.endsWith('.svelte'))).toEqual(
      [...titles, 'renderer/views/Welcome.svelte'].sort(),
    );
  });

  test('lists its views in the table alone: no other file names two of them', () => {
    // "compare" is a menu command besides.
    const names = VIEWS.map(({ name }) => name).filter((name) => name !== 'compare');
    const lists = [...filesIn('electron/main'), ...filesIn('renderer')].filter(
      (file) => names.filter((name) => read(file).includes(`'${name}'`)).length > 1,
    );
    expect(lists).toEqual([]);
  });

  test('reads typed numbers in the language of numbers alone', () => {
    const readers = filesIn('renderer').filter((file) =>
      /\b(Number|parseFloat)\(input\.value/.test(read(file)),
    );
    expect(readers).toEqual([]);
  });

  test('gives each view a name, a title and a shortcut of its own', () => {
    for (const field of ['name', 'title', 'shortcut'] as const)
      expect(new Set(VIEWS.map((view) => view[field])).size).toBe(VIEWS.length);
  });
});
