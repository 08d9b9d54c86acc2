import * as fs from 'node:fs';
import * as path from 'node:path';
import ts from 'typescript';
import { expect, test } from 'vitest';
import { root } from '../../helpers/root.ts';

/** Where reasons for keeping a tensor or operator are written. */
const SOURCES = [
  'shared/plan.ts',
  'electron/engine/export/fit-plan.ts',
  'electron/engine/reports.ts',
  'electron/engine/formats/no-gain.ts',
  ...filesOf('electron/engine/formats').filter((file) => file.includes('/fit/')),
];

function filesOf(folder: string): string[] {
  return fs
    .readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => path.posix.join(folder, name.split(path.sep).join('/')));
}

function textOf(file: string): string {
  return fs.readFileSync(path.join(root, file), 'utf8');
}

/** The texts of several words in a source, of templates the longest part; what is thrown is no reason. */
function reasonsIn(file: string): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isThrowStatement(node)) return;
    const parts = ts.isStringLiteralLike(node)
      ? [node.text]
      : ts.isTemplateExpression(node)
        ? [node.head.text, ...node.templateSpans.map(({ literal }) => literal.text)]
        : [];
    const longest = parts.map((part) => part.trim()).sort((a, b) => b.length - a.length)[0] ?? '';
    if (/[a-z'] [a-z']/i.test(longest)) found.push(longest);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, textOf(file), ts.ScriptTarget.Latest));
  return found;
}

test('every reason for keeping a tensor or an operator is in a test', () => {
  const tests = filesOf('test/unit').map(textOf).join('\n').replaceAll("\\'", "'");
  const reasons = SOURCES.flatMap(reasonsIn);
  expect(reasons.length).toBeGreaterThan(90);
  expect(reasons.filter((reason) => !tests.includes(reason))).toEqual([]);
});
