import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { root } from '../../helpers/root.ts';

const SOURCES = ['shared', 'electron', 'renderer'];

/** What each source file imports from the sources, types included; paths from the repository's root. */
function importsOf(): ReadonlyMap<string, readonly string[]> {
  const files = SOURCES.flatMap((folder) =>
    fs
      .readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(ts|svelte)$/.test(name) && !name.includes('assembly/'))
      .map((name) => path.posix.join(folder, name.split(path.sep).join('/'))),
  );
  return new Map(files.map((file) => [file, importedBy(file)]));
}

function importedBy(file: string): readonly string[] {
  const text = fs.readFileSync(path.join(root, file), 'utf8');
  return [...text.matchAll(/(?:from|import)\s+'(\.[^']+)'/g)].map(([, target]) =>
    path.posix.join(path.posix.dirname(file), target!),
  );
}

/** Sets of files that import each other in a circle (Tarjan's strongly connected components of more than one). */
function circles(graph: ReadonlyMap<string, readonly string[]>): readonly (readonly string[])[] {
  const order = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const found: string[][] = [];
  const visit = (file: string): void => {
    order.set(file, order.size);
    low.set(file, order.get(file)!);
    stack.push(file);
    for (const next of graph.get(file) ?? []) {
      if (!graph.has(next)) continue;
      if (!order.has(next)) visit(next);
      if (stack.includes(next)) low.set(file, Math.min(low.get(file)!, low.get(next)!));
    }
    if (low.get(file) !== order.get(file)) return;
    const circle = stack.splice(stack.indexOf(file));
    if (circle.length > 1) found.push(circle.sort());
  };
  for (const file of graph.keys()) if (!order.has(file)) visit(file);
  return found;
}

const imports = importsOf();

/** Imports of files under one folder from files under others. */
function crossing(from: string, ...to: readonly string[]): readonly string[] {
  return [...imports].flatMap(([file, targets]) =>
    file.startsWith(from)
      ? targets
          .filter((target) => to.some((folder) => target.startsWith(folder)))
          .map((target) => `${file} imports ${target}`)
      : [],
  );
}

describe('imports', () => {
  test('finds the sources and what they import', () => {
    expect(imports.size).toBeGreaterThan(200);
    expect(imports.get('shared/plan.ts')).toContain('shared/dtypes.ts');
  });

  test('finds a circle of two files', () => {
    const graph = new Map([
      ['a', ['b']],
      ['b', ['a', 'c']],
      ['c', []],
    ]);
    expect(circles(graph)).toEqual([['a', 'b']]);
  });

  test('go in no circle, types included', () => {
    expect(circles(imports)).toEqual([]);
  });

  test('of export know no format', () => {
    expect(crossing('electron/engine/export/', 'electron/engine/formats/')).toEqual([]);
  });

  test('of a format know no other format', () => {
    const formats = ['onnx', 'litert', 'safetensors'];
    for (const format of formats) {
      const others = formats
        .filter((other) => other !== format)
        .map((other) => `electron/engine/formats/${other}/`);
      expect(crossing(`electron/engine/formats/${format}/`, ...others)).toEqual([]);
    }
  });

  test('of a format go from its writer to what it can store, and from that to its reader', () => {
    for (const format of fs.readdirSync(path.join(root, 'electron/engine/formats'))) {
      const [read, fit, write] = ['read', 'fit', 'write'].map(
        (folder) => `electron/engine/formats/${format}/${folder}/`,
      ) as [string, string, string];
      expect([...crossing(read, fit, write), ...crossing(fit, write)]).toEqual([]);
    }
  });
});
