import type { ExportMode } from '../../../shared/protocol.ts';
import type { Model } from '../../../shared/model.ts';
import type { Plan } from '../../../shared/plan.ts';
import type { Recipe } from '../../../shared/recipe.ts';
import type { IndexLimits } from '../runtime/inputs.ts';
import type { FileSource } from '../source.ts';
import type { Layout } from '../export/layout.ts';

/** A model that is open: its structure in memory, its values in its files. */
export interface OpenedModel {
  readonly model: Model;
  readonly files: readonly FileSource[];
  readonly modes: readonly ExportMode[];
  /** How far integer inputs may index, by name, where the structure tells. */
  readonly indexLimits: IndexLimits;
  /** What an export would write, to the byte, without reading a weight. */
  layout(plan: Plan, mode: ExportMode, recipe: Recipe, targetName: string): Layout;
  close(): void;
}

/** How one file format is recognised and opened. */
export interface FormatAdapter {
  readonly name: string;
  readonly extensions: readonly string[];
  /** Cheap: looks at the first bytes and the size only. */
  match(head: Uint8Array, size: number): boolean;
  /** Takes the source over: closes it when it fails, and with the model. */
  open(source: FileSource): OpenedModel;
}
