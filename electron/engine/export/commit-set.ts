import * as fs from 'node:fs';
import * as path from 'node:path';
import { AppError } from '../../../shared/errors.ts';
import { AtomicFile, besideName, fileKey } from '../../files/atomic-file.ts';
import { removeIfPossible } from '../../files/sweep.ts';
import { journalText, removeEntry, type Journal, type JournalEntry } from './journal.ts';

/**
 * Put an export in place: a model, and the files that it names (external data, shards).
 *
 * The files that the model names have names that no file had before, so nothing that exists changes
 * until one rename, that of the model, switches from the old set to the new one. A reader sees the
 * old model with its old files or the new model with its new files, never a mix. Then the files of
 * the old set, which nothing names any more, are removed.
 *
 * A journal beside the target says what is under way while it is. When the process is killed, the
 * next export there, or the app's next start, rolls back what was not switched and finishes what was
 * (journal.ts). An export of a single file needs no journal: its rename is everything.
 *
 * @param parts what the model names, under names that are free
 * @param replaced files of the old set, removed after the switch
 * @throws AppError TARGET or IO; before the switch everything is as it was
 */
export function commitSet(
  model: AtomicFile,
  parts: readonly AtomicFile[],
  replaced: readonly string[],
): void {
  for (const file of [...parts, model]) file.flush();
  if (parts.length === 0 && replaced.length === 0) {
    model.rename();
    model.syncFolder();
    return;
  }
  const journal = writeJournal(model, parts, replaced);
  try {
    for (const part of parts) putPart(part);
    model.syncFolder();
    model.rename();
  } catch (error) {
    // What was put in place: nothing names it.
    for (const part of parts) if (!part.isPending) removeIfPossible(part.target);
    removeIfPossible(journal.file);
    throw error;
  }
  // The new model must be on the disk before the files of the old one go.
  model.syncFolder();
  for (const entry of journal.replaced) removeEntry(entry, path.dirname(model.target));
  removeIfPossible(journal.file);
}

function putPart(part: AtomicFile): void {
  if (fs.lstatSync(part.target, { throwIfNoEntry: false }) !== undefined)
    throw new AppError('TARGET', 'appeared during the export; export again', {
      file: part.target,
      found: 'a file',
      expected: 'a free name',
    });
  part.rename();
}

function writeJournal(
  model: AtomicFile,
  parts: readonly AtomicFile[],
  replaced: readonly string[],
): Journal & { readonly file: string } {
  const journal: Journal = {
    model: entryOf(model.target, model.temporary),
    temporary: path.basename(model.temporary),
    parts: parts.map(({ target, temporary }) => entryOf(target, temporary)),
    replaced: replaced.map((file) => entryOf(file, file)),
  };
  const written = new AtomicFile(besideName(model.target, 'commit'), []);
  try {
    written.write(journalText(journal));
    written.commit();
  } catch (error) {
    written.discard();
    throw error;
  }
  return { ...journal, file: written.target };
}

/** A file by the name it will have; what is renamed keeps its inode. */
function entryOf(name: string, file: string): JournalEntry {
  const key = fileKey(file);
  if (key === null)
    throw new AppError('TARGET', 'disappeared during the export; export again', { file });
  return { name: path.basename(name), ...key };
}
