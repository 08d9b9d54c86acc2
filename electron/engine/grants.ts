import { AppError } from '../../shared/errors.ts';
import type { MainToEngine } from '../../shared/processes.ts';
import type { Handle } from '../../shared/protocol.ts';

/** How long a request waits for the grant of its file. */
const GRANT_WAIT_MS = 1000;

/** The paths that main granted to pages, by handle. */
export class Grants {
  private readonly granted = new Map<Handle, { path: string; use: 'read' | 'write' }>();
  /** Requests that came before the grant of their file: main and the page speak over different channels. */
  private readonly waiting = new Map<Handle, () => void>();

  add({ handle, path, use }: Extract<MainToEngine, { type: 'grant' }>): void {
    this.granted.set(handle, { path, use });
    this.waiting.get(handle)?.();
  }

  /** The path of a handle that was granted, for whatever use. */
  pathOf(handle: Handle): string | undefined {
    return this.granted.get(handle)?.path;
  }

  /** The path that was granted for one of these uses; waits for a grant on its way. @throws AppError BAD_USAGE */
  async path(handle: Handle, ...uses: readonly ('read' | 'write')[]): Promise<string> {
    if (!this.granted.has(handle)) await this.grantOf(handle);
    const grant = this.granted.get(handle);
    if (grant === undefined || !uses.includes(grant.use))
      throw new AppError(
        'BAD_USAGE',
        `no file was granted to ${uses.join(' or ')} under that handle`,
        {
          field: 'handle',
          found: String(handle),
        },
      );
    return grant.path;
  }

  /** Settles when the handle is granted, or after a while in which any grant on its way has come. */
  private async grantOf(handle: Handle): Promise<void> {
    const earlier = this.waiting.get(handle);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, GRANT_WAIT_MS);
      this.waiting.set(handle, () => {
        clearTimeout(timer);
        earlier?.();
        resolve();
      });
    });
    this.waiting.delete(handle);
  }
}
