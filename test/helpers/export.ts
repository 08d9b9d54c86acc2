import * as fs from 'node:fs';
import * as path from 'node:path';
import { expect } from 'vitest';
import type { ExportMode } from '../../shared/exports.ts';
import type { Recipe } from '../../shared/recipe.ts';
import { findPreset } from '../../shared/presets.ts';
import type { WorkerPool } from '../../electron/engine/pool.ts';
import { Session } from '../../electron/engine/session.ts';

const never = new AbortController().signal;

/** A preset with changes. */
export function recipe(name: string, changes: Partial<Recipe> = {}): Recipe {
  return { ...findPreset(name)!, ...changes };
}

export interface Exported {
  readonly out: string;
  readonly bytes: Uint8Array;
  /** Names of the tensors that the recipe quantizes. */
  readonly names: string[];
  /** Why others stayed as they are. */
  readonly refused: string[];
}

/** Exports files into a folder, each time held against its preview and never larger than its source. */
export function exporter(
  pool: WorkerPool,
  folder: string,
): (file: string, wanted: Recipe, mode?: ExportMode) => Promise<Exported> {
  return async (file, wanted, mode = 'qdq') => {
    const session = Session.open(file, pool);
    const out = path.join(folder, `${mode}-${path.basename(file)}`);
    try {
      const preview = await session.previewExport(wanted, mode, { signal: never });
      const result = await session.export(wanted, mode, out, { signal: never });
      const bytes = fs.readFileSync(out);
      expect(bytes.length).toBe(preview.bytesAfter);
      expect(result.bytesAfter).toBe(preview.bytesAfter);
      expect(result.bytesAfter).toBeLessThanOrEqual(result.bytesBefore);
      const names = session
        .plan(wanted)
        .weights.filter(({ scheme }) => scheme !== null)
        .map(({ tensor }) => session.tensors[tensor]!.name);
      return { out, bytes, names, refused: preview.kept.map((group) => group.reason) };
    } finally {
      session.close();
    }
  };
}
