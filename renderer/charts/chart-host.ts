import { createContext } from 'svelte';
import type { Result } from '../../shared/ipc.ts';
import type { Announcer } from '../state/announcer.svelte.ts';

/** What the charts need of the app around them. */
export interface ChartHost {
  readonly announcer: Announcer;
  /** Puts a PNG on the clipboard. */
  readonly copyImage: (png: Uint8Array) => Promise<Result<null>>;
}

export const [chartHost, setChartHost] = createContext<ChartHost>();
