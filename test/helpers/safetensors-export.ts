import * as crypto from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { expect } from 'vitest';
import type { ExportMode } from '../../shared/exports.ts';
import type { Recipe } from '../../shared/recipe.ts';
import type { WorkerPool } from '../../electron/engine/pool.ts';
import { Session } from '../../electron/engine/session.ts';
import { parseFile, safetensorsFile, type TestTensor } from './safetensors.ts';

const never = new AbortController().signal;

/** The hash of every file of a folder. */
export function digests(where: string): Record<string, string> {
  const digest = (name: string): string =>
    crypto
      .createHash('sha256')
      .update(fs.readFileSync(path.join(where, name)))
      .digest('hex');
  return Object.fromEntries(
    fs
      .readdirSync(where)
      .sort()
      .map((name) => [name, digest(name)]),
  );
}

export interface ExportedSet {
  readonly out: string;
  readonly folder: string;
  /** Why tensors stayed as they are, by the preview. */
  readonly refused: string[];
  readonly quantized: number;
}

export interface ExportedFile extends ExportedSet {
  readonly source: string;
  readonly file: ReturnType<typeof parseFile>;
}

/** Exports checkpoints in folders of their own below one. */
export class SafetensorsExporter {
  private readonly pool: WorkerPool;
  private readonly root: string;
  private count = 0;

  constructor(pool: WorkerPool, root: string) {
    this.pool = pool;
    this.root = root;
  }

  /** A new folder with files in it. */
  folderOf(files: Readonly<Record<string, Uint8Array | string>>): string {
    const made = path.join(this.root, `case-${this.count++}`);
    fs.mkdirSync(made);
    for (const [name, bytes] of Object.entries(files))
      fs.writeFileSync(path.join(made, name), bytes);
    return made;
  }

  /** Export, holding the sizes against each other, the source against its digest, and the folder against leftovers. */
  async export(
    source: string,
    wanted: Recipe,
    mode: ExportMode,
    outName: string,
  ): Promise<ExportedSet> {
    const before = digests(path.dirname(source));
    const folder = this.folderOf({});
    const session = Session.open(source, this.pool);
    try {
      const preview = await session.previewExport(wanted, mode, { signal: never });
      const out = path.join(folder, outName);
      const result = await session.export(wanted, mode, out, { signal: never });
      const sizes = fs.readdirSync(folder).map((name) => fs.statSync(path.join(folder, name)).size);
      expect(sizes.reduce((a, b) => a + b, 0)).toBe(result.bytesAfter);
      expect(result.bytesAfter).toBeLessThanOrEqual(result.bytesBefore);
      expect(digests(path.dirname(source))).toEqual(before);
      expect(fs.readdirSync(folder).filter((name) => name.startsWith('.'))).toEqual([]);
      const refused = preview.kept.map((group) => group.reason);
      return { out, folder, refused, quantized: result.quantized };
    } finally {
      session.close();
    }
  }

  /** Export a file of these tensors. */
  async single(
    tensors: Readonly<Record<string, TestTensor>>,
    wanted: Recipe,
    mode: ExportMode = 'qdq',
    metadata?: Readonly<Record<string, string>>,
  ): Promise<ExportedFile> {
    const where = this.folderOf({ 'model.safetensors': safetensorsFile(tensors, metadata) });
    const source = path.join(where, 'model.safetensors');
    const made = await this.export(source, wanted, mode, 'out.safetensors');
    return { ...made, source, file: parseFile(fs.readFileSync(made.out)) };
  }
}
