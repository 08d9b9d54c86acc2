import * as fs from 'node:fs';
import type { AnswerSlot } from '../../../shared/protocol.ts';
import { AppError } from '../../../shared/errors.ts';
import { temporaryFolder } from '../runtime/run-folder.ts';
import type { Keeping } from './kept-outputs.ts';
import { KeptRun, type KeptFacts } from './kept-run.ts';

/** Outputs of one run on the disk; those of further samples are compared and not kept. */
const MOST_BYTES = 512 << 20;

interface Entry {
  readonly folder: string;
  readonly run: KeptRun;
}

/** The outputs of a model's last runs: of A, of B and of a file. They are deleted with the model. */
export class AnswerStore {
  private readonly entries = new Map<AnswerSlot, Entry>();
  private isClosed = false;

  /** Run a model and keep what it gives, in place of what the slot had. */
  async keep<T extends { readonly kept?: number }>(
    slot: AnswerSlot,
    facts: Omit<KeptFacts, 'folder' | 'count'>,
    work: (keeping: Keeping) => Promise<T>,
  ): Promise<T> {
    const folder = temporaryFolder();
    try {
      const result = await work({ folder, bytes: MOST_BYTES });
      this.drop(slot);
      const count = result.kept ?? 0;
      if (count === 0 || this.isClosed) remove(folder);
      else this.entries.set(slot, { folder, run: new KeptRun({ ...facts, folder, count }) });
      return result;
    } catch (error) {
      remove(folder);
      throw error;
    }
  }

  /** @throws AppError BAD_USAGE where nothing was kept */
  run(slot: AnswerSlot): KeptRun {
    const entry = this.entries.get(slot);
    if (entry !== undefined) return entry.run;
    throw new AppError('BAD_USAGE', 'no outputs are kept; run the model first', {
      field: 'slot',
      found: slot,
    });
  }

  close(): void {
    this.isClosed = true;
    for (const slot of [...this.entries.keys()]) this.drop(slot);
  }

  private drop(slot: AnswerSlot): void {
    const entry = this.entries.get(slot);
    if (entry === undefined) return;
    this.entries.delete(slot);
    remove(entry.folder);
  }
}

function remove(folder: string): void {
  fs.rmSync(folder, { recursive: true, force: true });
}
