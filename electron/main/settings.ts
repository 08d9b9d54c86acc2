import * as path from 'node:path';
import { app } from 'electron';
import * as v from 'valibot';
import { HINTS, LEAST_MEMORY, MOST_WORKERS, type Settings } from '../../shared/ipc.ts';
import { DEFAULT_NUMBER_STYLE, NUMBER_STYLES } from '../../shared/number-styles.ts';
import { parseRecipe } from '../../shared/recipe-file.ts';
import { PRESETS } from '../../shared/presets.ts';
import { readJson, writeJson } from './json-file.ts';

export const presetSetting = v.nullable(v.picklist(PRESETS.map(({ name }) => name)));
export const workersSetting = v.nullable(
  v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(MOST_WORKERS)),
);

export const memorySetting = v.nullable(
  v.pipe(v.number(), v.safeInteger(), v.minValue(LEAST_MEMORY)),
);
export const hintsSetting = v.pipe(v.array(v.picklist(HINTS)), v.maxLength(HINTS.length));

export const numbersSetting = v.picklist(NUMBER_STYLES);

/** A recipe that is none any more, or that something else wrote, is forgotten. */
const recipe = v.fallback(
  v.nullable(
    v.pipe(
      v.unknown(),
      v.transform((value): unknown => parsed(value)),
    ),
  ),
  null,
);

/** Each field that is spoilt or missing has its default; the others stay. */
const schema = v.object({
  theme: v.fallback(v.picklist(['system', 'light', 'dark']), 'system'),
  recipeA: recipe,
  recipeB: recipe,
  // Checked by the page.
  rules: v.unknown(),
  compare: v.fallback(v.boolean(), true),
  numbers: v.fallback(numbersSetting, DEFAULT_NUMBER_STYLE),
  preset: v.fallback(presetSetting, null),
  workers: v.fallback(workersSetting, null),
  memory: v.fallback(memorySetting, null),
  hints: v.fallback(hintsSetting, []),
});

function parsed(value: unknown): unknown {
  try {
    return parseRecipe(value);
  } catch {
    return null;
  }
}

/** Settings from stored JSON of any kind. */
export function settingsOf(stored: unknown): Settings {
  const fields: object = typeof stored === 'object' && stored !== null ? stored : {};
  return v.parse(schema, {
    theme: null,
    recipeA: null,
    recipeB: null,
    rules: null,
    compare: null,
    numbers: null,
    preset: null,
    workers: null,
    memory: null,
    hints: null,
    ...fields,
  });
}

/** What is kept between runs, in one JSON file below userData. */
export class SettingsStore {
  private readonly file = path.join(app.getPath('userData'), 'settings.json');
  private values: Settings = settingsOf(readJson<unknown>(this.file));
  private readonly listeners: ((values: Settings) => void)[] = [];

  get(): Settings {
    return this.values;
  }

  set(changes: Partial<Settings>): void {
    this.values = { ...this.values, ...changes };
    writeJson(this.file, this.values);
    for (const listener of this.listeners) listener(this.values);
  }

  /** Told of every change, whether the page or the menu made it. */
  onChange(listener: (values: Settings) => void): void {
    this.listeners.push(listener);
  }
}
