import * as fs from 'node:fs';
import * as path from 'node:path';
import * as v from 'valibot';
import { fileKey, isSameFile } from '../../files/atomic-file.ts';
import { orphansIn, removeIfPossible, sweepOrphans } from '../../files/sweep.ts';
import { isPartName } from './part-names.ts';

const JOURNAL = /^\..+\.quantscope-(\d+)-[0-9a-f]{12}\.commit$/;

/** Above any journal of ours: 512 shards before and after, with names of 255 bytes. */
const MAX_JOURNAL_BYTES = 1 << 20;

const name = v.pipe(
  v.string(),
  v.regex(/^[^/\\\u0000]{1,255}$/),
  v.check((text) => text !== '.' && text !== '..'),
);
const digits = v.pipe(v.string(), v.regex(/^\d{1,20}$/));
const entrySchema = v.strictObject({ name, dev: digits, ino: digits });
const journalSchema = v.strictObject({
  model: entrySchema,
  temporary: name,
  parts: v.array(entrySchema),
  replaced: v.array(entrySchema),
});

/** A file in the journal's folder, by its name and inode: under that name there may be another one by now. */
export type JournalEntry = v.InferOutput<typeof entrySchema>;

/** What a commit does: parts under their names, then the model under its own, then the replaced files away. */
export type Journal = Readonly<v.InferOutput<typeof journalSchema>>;

export function journalText(journal: Journal): string {
  return JSON.stringify(journal);
}

/**
 * Bring a folder back in order after exports that were killed there: unfinished commits are rolled
 * back or finished, temporary files removed. What running processes write stays. Never throws.
 */
export function recoverFolder(folder: string): void {
  for (const file of orphansIn(folder, JOURNAL)) {
    const journal = readJournal(file);
    if (journal !== null) recover(journal, folder);
    removeIfPossible(file);
  }
  sweepOrphans(folder);
}

/**
 * Only what is certain is acted upon. The model's temporary file is still there: nothing was
 * switched, and nothing names the parts. The model is the file that the journal meant: everything
 * was switched, and nothing names the replaced files. Otherwise somebody changed the folder since,
 * and nothing is removed.
 */
function recover(journal: Journal, folder: string): void {
  const isAt = (file: string): boolean => {
    const key = fileKey(path.join(folder, file));
    return key !== null && isSameFile(key, journal.model);
  };
  if (isAt(journal.temporary)) removeParts(journal.parts, journal, folder);
  else if (isAt(journal.model.name)) removeParts(journal.replaced, journal, folder);
}

/** A journal may come with a folder from anywhere: it reaches no file but parts of the model it names. */
function removeParts(entries: readonly JournalEntry[], { model }: Journal, folder: string): void {
  for (const entry of entries) if (isPartName(model.name, entry.name)) removeEntry(entry, folder);
}

/** Remove a file that a journal names, if it is still the one that was meant. Never throws. */
export function removeEntry(entry: JournalEntry, folder: string): void {
  const file = path.join(folder, entry.name);
  const key = fileKey(file);
  if (key !== null && isSameFile(key, entry)) removeIfPossible(file);
}

function readJournal(file: string): Journal | null {
  try {
    if (fs.statSync(file).size > MAX_JOURNAL_BYTES) return null;
    const result = v.safeParse(journalSchema, JSON.parse(fs.readFileSync(file, 'utf8')));
    return result.success ? result.output : null;
  } catch {
    return null; // Written in part, or of another kind: there is nothing to learn from it.
  }
}
