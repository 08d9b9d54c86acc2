import type { ExportMode } from '../../shared/exports.ts';
import { defaultMode } from '../format/modes.ts';
import type { StoreHost } from './store-host.ts';

/** What this store takes of the workbench. */
type Host = Pick<StoreHost, 'model' | 'recipes' | 'compare'> & {
  readonly calibration: { readonly hasRanges: boolean; readonly choosesCodes: boolean };
};

/** Which export mode is asked for, and which one plans and samples are for until that can be had. */
export class ExportModeChoice {
  readonly #workbench: Host;
  /** A model without it takes the one that suits recipe A. */
  #asked = $state<ExportMode | null>(null);

  constructor(workbench: Host) {
    this.#workbench = workbench;
  }

  readonly #modes: readonly ExportMode[] = $derived.by(() => this.#workbench.model?.modes ?? []);

  /** The one that was asked for and that the model has; null where the recipe decides. */
  readonly asked: ExportMode | null = $derived(
    this.#modes.find((mode) => mode === this.#asked) ?? null,
  );

  readonly chosen: ExportMode = $derived.by(() => {
    const { compare, recipes } = this.#workbench;
    // Under a cast a recipe of integers would keep everything: with one beside the other, both are compared in the first mode.
    const shown = compare ? [recipes.a, recipes.b] : [recipes.a];
    return this.asked ?? defaultMode(this.#modes, ...shown) ?? 'qdq';
  });

  /** Whether the mode that is chosen plans by what calibration finds, and nothing is calibrated. */
  readonly needsSamples: boolean = $derived.by(
    () => this.chosen === 'static' && !this.#workbench.calibration.hasRanges,
  );

  /** The one whose plan is measured and shown: until it is calibrated, static has none. */
  readonly measured: ExportMode = $derived(
    this.needsSamples ? (this.#modes[0] ?? 'qdq') : this.chosen,
  );

  /** The one that samples are observed for: static, unless only codes of weights wait for them. */
  readonly calibrated: ExportMode = $derived.by(() =>
    this.#workbench.calibration.choosesCodes || !this.#modes.includes('static')
      ? this.chosen
      : 'static',
  );

  ask(mode: ExportMode | null): void {
    this.#asked = mode;
  }
}
