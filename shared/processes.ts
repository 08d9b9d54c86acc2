import type { FormatFacts } from './formats.ts';
import type { Handle } from './protocol.ts';

/** What main must know of the engine's work. */
export interface EngineState {
  /** The files of open models, by device and inode: nothing may be written over them. */
  readonly sources: readonly {
    readonly identity: { readonly dev: string; readonly ino: string };
  }[];
  /** Folders that running exports write to. */
  readonly exporting: readonly string[];
}

/** Engine to main: what it opens, as soon as it runs; its state whenever that changes. */
export type EngineToMain =
  | { readonly type: 'formats'; readonly formats: readonly FormatFacts[] }
  | { readonly type: 'state'; readonly state: EngineState }
  /** Start a process of onnxruntime, send it a message, or kill it. */
  | { readonly type: 'runtime-start'; readonly id: number }
  | { readonly type: 'runtime-post'; readonly id: number; readonly message: unknown }
  | { readonly type: 'runtime-kill'; readonly id: number };

/** Main to engine, over the utility process's own port. Ports for pages come with `connect`. */
export type MainToEngine =
  | { readonly type: 'connect' }
  | { readonly type: 'runtime-message'; readonly id: number; readonly message: unknown }
  /** It ended by itself; `said` is the end of its standard error. */
  | {
      readonly type: 'runtime-ended';
      readonly id: number;
      readonly code: number;
      readonly said: string;
    }
  /** Put folders in order in which an export was killed. */
  | { readonly type: 'recover'; readonly folders: readonly string[] }
  | { readonly type: 'cancel-exports' }
  | {
      readonly type: 'grant';
      readonly handle: Handle;
      readonly path: string;
      readonly use: 'read' | 'write';
    };
