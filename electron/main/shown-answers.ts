import * as fs from 'node:fs';
import * as path from 'node:path';
import { app } from 'electron';
import * as v from 'valibot';
import { ANSWER_KINDS, BOX_ORDERS } from '../../shared/answers.ts';
import type { RememberedAnswer } from '../../shared/ipc.ts';
import type { ShownAs } from '../../shared/protocol.ts';
import type { Handles } from './handles.ts';
import { readJson, writeJson } from './json-file.ts';

/** Models whose choices are kept, those that were changed last. */
const MOST_MODELS = 50;
/** Outputs of one model. */
const MOST_OUTPUTS = 1000;

const fields = {
  output: v.pipe(v.string(), v.maxLength(4096)),
  kind: v.nullable(v.picklist(ANSWER_KINDS)),
  order: v.nullable(v.picklist(BOX_ORDERS)),
};

/** What the page may ask to keep: names are a handle. */
export const shownSchema = v.pipe(
  v.array(v.strictObject({ ...fields, names: v.nullable(v.pipe(v.string(), v.maxLength(64))) })),
  v.maxLength(MOST_OUTPUTS),
);

const file = v.pipe(v.string(), v.maxLength(32_768));
/** What is stored: names are a path. */
const storedSchema = v.pipe(
  v.array(
    v.object({
      model: file,
      shown: v.pipe(
        v.array(v.object({ ...fields, names: v.nullable(file) })),
        v.maxLength(MOST_OUTPUTS),
      ),
    }),
  ),
  v.maxLength(MOST_MODELS),
);
type Stored = v.InferOutput<typeof storedSchema>;

/** What the outputs of each model are shown as, in one JSON file below userData. The page has handles, the file paths. */
export class ShownAnswers {
  private readonly file = path.join(app.getPath('userData'), 'answers.json');
  private readonly handles: Handles;
  private models: Stored;

  constructor(handles: Handles) {
    this.handles = handles;
    const stored = v.safeParse(storedSchema, readJson<unknown>(this.file));
    this.models = stored.success ? stored.output : [];
  }

  /** The choices for a model; those whose file of names is gone look for it beside the model again. */
  get(model: string): readonly RememberedAnswer[] {
    const shown = this.models.find((each) => each.model === model)?.shown ?? [];
    return shown.map(({ names, ...choice }) => {
      const found =
        names !== null && fs.existsSync(names) ? this.handles.grant(names, 'read') : null;
      return { ...choice, names: found?.handle ?? null, file: found };
    });
  }

  set(model: string, shown: readonly ShownAs[]): void {
    const kept = shown.map(({ names, ...choice }) => ({
      ...choice,
      names: names === null ? null : (this.handles.path(names) ?? null),
    }));
    const others = this.models.filter((each) => each.model !== model);
    this.models = [{ model, shown: kept }, ...others].slice(0, MOST_MODELS);
    writeJson(this.file, this.models);
  }
}
