import * as crypto from 'node:crypto';
import * as path from 'node:path';
import { shownFolder } from './shown-folder.ts';
import type { ChosenFile } from '../../shared/ipc.ts';
import type { Handle } from '../../shared/protocol.ts';

export interface Grant {
  readonly path: string;
  readonly use: 'read' | 'write';
}

/** Paths that a person chose, by the opaque names under which the page speaks of them. */
export class Handles {
  private readonly grants = new Map<Handle, Grant>();
  private listener: (handle: Handle, grant: Grant) => void = () => undefined;

  /** Told of every grant, those before included. */
  onGrant(listener: (handle: Handle, grant: Grant) => void): void {
    this.listener = listener;
    this.replay();
  }

  /** Tell the listener of every grant again: a new engine knows none. */
  replay(): void {
    for (const [handle, grant] of this.grants) this.listener(handle, grant);
  }

  grant(file: string, use: Grant['use']): ChosenFile {
    const handle = crypto.randomUUID();
    const grant = { path: path.resolve(file), use };
    this.grants.set(handle, grant);
    this.listener(handle, grant);
    return { handle, label: path.basename(file), folder: shownFolder(file) };
  }

  path(handle: Handle): string | undefined {
    return this.grants.get(handle)?.path;
  }
}
