import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository. */
export const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/** What is fetched once and kept: git ignores it, and it may be deleted at any time. */
export const cache = path.join(root, '.cache');
