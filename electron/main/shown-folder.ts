import * as os from 'node:os';
import * as path from 'node:path';

/** The folder of a file as people are shown it: with ~ for their own. */
export function shownFolder(file: string): string {
  const folder = path.dirname(path.resolve(file));
  const home = os.homedir();
  if (folder === home) return '~';
  return folder.startsWith(home + path.sep) ? `~${folder.slice(home.length)}` : folder;
}
