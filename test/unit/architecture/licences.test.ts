import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { licenceFaults, licencesText } from '../../../build/licences.mjs';
import { root } from '../../helpers/root.ts';

const entry = (identifier: string | undefined, text = 'text') => ({
  name: 'example',
  version: '1.0.0',
  ...(identifier === undefined ? {} : { identifier }),
  text,
});

describe('third-party licences', () => {
  test('refuse a copyleft licence, a missing licence and a missing text', () => {
    expect(licenceFaults([entry('GPL-3.0-only')])).toEqual([
      expect.stringContaining('example 1.0.0: licence is GPL-3.0-only, expected one of MIT'),
    ]);
    expect(licenceFaults([entry(undefined)])[0]).toContain('licence is missing');
    expect(licenceFaults([entry('MIT', '')])).toEqual([
      'example 1.0.0: the text of its licence is missing',
    ]);
    expect(() => licencesText([[entry('GPL-3.0-only')]])).toThrow('GPL-3.0-only');
  });

  test('accept one allowed alternative, not both of two joined by AND', () => {
    expect(licenceFaults([entry('(GPL-2.0-only OR MIT)')])).toEqual([]);
    expect(licenceFaults([entry('MIT AND GPL-2.0-only')])).toHaveLength(1);
  });

  test('of the built app name its dependencies, the font, the runtime and what is compiled in', () => {
    const text = fs.readFileSync(path.join(root, 'dist/renderer/licences.txt'), 'utf8');
    for (const name of ['svelte', 'd3-scale', 'workerpool', '@fontsource-variable/inter'])
      expect(text).toMatch(new RegExp(`^${name} \\d+\\.\\d+\\.\\d+ \\(`, 'm'));
    expect(text).toMatch(/^onnxruntime-node 1\./m);
    expect(text).toMatch(/^@litertjs\/core 2\./m);
    expect(text).toMatch(/^assemblyscript 0\./m);
  });

  test.each([
    ['onnxruntime-node', 'onnxruntime'],
    ['@litertjs/core', 'litert'],
  ])('of the runtime %s belong to its installed version', (name, text) => {
    const manifest = path.join(root, 'node_modules', name, 'package.json');
    const { version } = JSON.parse(fs.readFileSync(manifest, 'utf8')) as { version: string };
    expect(fs.existsSync(path.join(root, `build/licences/${text}-${version}.txt`))).toBe(true);
  });
});

describe('the version', () => {
  test('is the same in package.json, the lock file and the newest release of the changelog', () => {
    const read = (file: string): string => fs.readFileSync(path.join(root, file), 'utf8');
    const { version } = JSON.parse(read('package.json')) as { version: string };
    const lock = JSON.parse(read('package-lock.json')) as {
      version: string;
      packages: Record<string, { version: string }>;
    };
    const released = /^## (\d+\.\d+\.\d+)/m.exec(read('CHANGELOG.md'))?.[1];
    expect([lock.version, lock.packages['']!.version, released]).toEqual([
      version,
      version,
      version,
    ]);
  });
});
