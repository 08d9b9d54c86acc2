import type { RequestKind, Requests } from '../../../shared/protocol.ts';
import type { Grants } from '../grants.ts';
import type { WorkerPool } from '../pool.ts';
import type { Runtime } from '../runtime/host.ts';
import type { Call } from './call.ts';
import type { OpenModels } from './open-models.ts';
import type { RunningExports } from './running-exports.ts';

export type Reply<K extends RequestKind> = Promise<Requests[K]['reply']> | Requests[K]['reply'];

/** How each kind of request is answered; its parameters have been checked. */
export type Handlers = {
  readonly [K in RequestKind]: (params: Requests[K]['params'], call: Call) => Reply<K>;
};

/** What requests are answered with. Paths come from main as grants; a page names them by handle only. */
export interface Context {
  readonly pool: WorkerPool;
  readonly runtime: Runtime;
  readonly grants: Grants;
  readonly models: OpenModels;
  readonly exports: RunningExports;
}
