import * as path from 'node:path';
import { app } from 'electron';
import type { Settings } from '../../shared/ipc.ts';
import { readJson, writeJson } from './json-file.ts';

const DEFAULTS: Settings = { theme: 'system', recipeA: null, recipeB: null, compare: true };

/** What is kept between runs, in one JSON file below userData. */
export class SettingsStore {
  private readonly file = path.join(app.getPath('userData'), 'settings.json');
  private values: Settings;
  private readonly listeners: ((values: Settings) => void)[] = [];

  constructor() {
    const stored = readJson<Partial<Settings>>(this.file) ?? {};
    this.values = {
      ...DEFAULTS,
      ...(stored.theme === 'light' || stored.theme === 'dark' ? { theme: stored.theme } : {}),
      recipeA: stored.recipeA ?? null,
      recipeB: stored.recipeB ?? null,
      compare: stored.compare !== false,
    };
  }

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
