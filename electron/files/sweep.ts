import * as fs from 'node:fs';
import * as path from 'node:path';

/** What is removed: files of ours that a process left behind when it was killed. */
const TEMPORARY = /^\..+\.quantscope-(\d+)-[0-9a-f]{12}\.tmp$/;

/** Remove the temporary files that killed processes left in a folder. Never throws. */
export function sweepOrphans(folder: string): void {
  for (const file of orphansIn(folder, TEMPORARY)) removeIfPossible(file);
}

/**
 * Files in a folder that a killed process left behind: regular files of this user, by a name whose
 * first group is the number of a process that no longer runs. Anything else under such a name (a
 * directory, a link, another user's file) is not ours to touch, and must not stop an export either.
 */
export function orphansIn(folder: string, pattern: RegExp): string[] {
  let names: string[];
  try {
    names = fs.readdirSync(folder);
  } catch {
    return []; // A folder that cannot be listed has nothing that we could remove.
  }
  return names
    .filter((name) => {
      const pid = pattern.exec(name)?.[1];
      return pid !== undefined && !isRunning(Number(pid));
    })
    .map((name) => path.join(folder, name))
    .filter(isOwnFile);
}

function isOwnFile(file: string): boolean {
  try {
    const stat = fs.lstatSync(file);
    return stat.isFile() && (process.getuid === undefined || stat.uid === process.getuid());
  } catch {
    return false;
  }
}

/** Remove a file. One that the system keeps stays: the caller has more important things to do. */
export function removeIfPossible(file: string): void {
  try {
    fs.rmSync(file, { force: true });
  } catch {
    // A folder that became read-only, for one; the next sweep tries again.
  }
}

/** Whether a process of that number runs. One that was killed and whose parent has not asked for its status does not. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  return !isZombie(pid);
}

/** Linux keeps a dead process's number until its parent waits for it; elsewhere this is not told. */
function isZombie(pid: number): boolean {
  try {
    // The state follows the name, which is in parentheses and may contain any character (proc(5)).
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'latin1');
    return /^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
  } catch {
    return false;
  }
}
