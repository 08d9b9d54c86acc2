// One click for layers that lose much: rules of their names, which can be undone.
import { patternsOf } from '../../shared/patterns.ts';
import type { ExportMode } from '../../shared/exports.ts';
import type { Side } from '../../shared/protocol.ts';
import type { Recipe } from '../../shared/recipe.ts';
import { fieldsOf, schemeOf } from '../../shared/scheme.ts';
import { counted } from '../format/numbers.ts';
import { withOverrides, withRules } from './overrides.ts';
import type { RecipeHistory } from './recipe-history.svelte.ts';

/** What is kept in float of some layers. */
export interface KeptLayers {
  /** Names of weights. */
  readonly tensors: readonly string[];
  /** Names of operators without weights, whose activations mode static quantizes. */
  readonly operators: readonly string[];
}

/** The recipe that keeps weights and activations in float, by rules after those that it has. */
export function withFloat(recipe: Recipe, { tensors, operators }: KeptLayers): Recipe {
  const kept = tensors.length === 0 ? recipe : withOverrides(recipe, tensors, null);
  const rules = patternsOf(operators).map((name) => ({ match: { name }, activations: null }));
  return rules.length === 0 ? kept : withRules(kept, [...kept.rules, ...rules]);
}

/** Keep layers in float under a side's recipe. */
export function keepInFloat(history: RecipeHistory, side: Side, layers: KeptLayers): void {
  const count = layers.tensors.length + layers.operators.length;
  const what = `keep ${counted(count, 'layer')} in float`;
  history.set(side, withFloat(history.present[side], layers), what);
}

/** Whether an export in a mode stores weights in int16: modes that run on codes, and LiteRT per channel, do not. */
export function takesInt16(format: string, mode: ExportMode): boolean {
  return format === 'onnx' && mode === 'qdq';
}

/** The recipe that stores weights in int16, one scale per channel, by rules after those that it has. */
export function withInt16(recipe: Recipe, tensors: readonly string[]): Recipe {
  return withOverrides(recipe, tensors, fieldsOf(schemeOf({ dtype: 'int16' })));
}

/** Store the weights of layers in int16 under a side's recipe: half of float32, and nearly exact. */
export function useInt16(history: RecipeHistory, side: Side, tensors: readonly string[]): void {
  const what = `use int16 for ${counted(tensors.length, 'layer')}`;
  history.set(side, withInt16(history.present[side], tensors), what);
}
