import type { ErrorData } from '../../shared/errors.ts';

/** A problem shown in the line under the top bar, with the one command that may fix it. */
export interface Problem {
  readonly error: ErrorData;
  readonly command: { readonly label: string; readonly run: () => void } | null;
}
