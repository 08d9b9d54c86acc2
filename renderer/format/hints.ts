import { HINTS, type Hint } from '../../shared/ipc.ts';
import type { View } from '../../shared/views.ts';

/** One sentence or two for who sees a view for the first time. */
const WORDS: Readonly<Record<Hint, string>> = {
  layers: 'Press dB to sort by error, and select a layer to see why it loses what it does.',
  budget: 'Drag the line or type a size to choose a plan. Use as A makes it a recipe.',
  run: 'Measure layers shows in which layer the error begins.',
};

/** The hint of a view, until it is dismissed. */
export function hintOf(
  view: View,
  dismissed: readonly Hint[],
): { readonly hint: Hint; readonly words: string } | null {
  const hint = HINTS.find((each) => each === view);
  return hint === undefined || dismissed.includes(hint) ? null : { hint, words: WORDS[hint] };
}
