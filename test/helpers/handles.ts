import * as fs from 'node:fs';
import * as path from 'node:path';

const OWN = '/proc/self/fd';

/** How many descriptors of this process are open on files of a folder. */
export function handlesInto(folder: string): number {
  const targets = fs.readdirSync(OWN).map((descriptor) => {
    try {
      return fs.readlinkSync(path.join(OWN, descriptor));
    } catch {
      return ''; // The one that lists them is closed again.
    }
  });
  return targets.filter((target) => path.dirname(target) === folder).length;
}
