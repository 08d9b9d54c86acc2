import * as fs from 'node:fs';
import * as path from 'node:path';
import { AppError } from '../../../shared/errors.ts';
import type { Feeds } from '../calibrate/data/sample-group.ts';
import { writeModel } from '../export/write-model.ts';
import type { Layout } from '../export/layout.ts';
import {
  SHAPE_SUFFIX,
  type LayerCopy,
  type ObservedKind,
  type OpenedModel,
} from '../formats/format.ts';
import { openModel } from '../formats/registry.ts';
import { runOnce } from './compare-outputs.ts';
import type { RunHints } from './inputs.ts';
import { loadModel } from './load-model.ts';
import type { OutputValue, RunnableModel } from './runnable.ts';

/**
 * Values of one run that are kept at a time. onnxruntime keeps all outputs of a graph until its run ends: a model
 * whose values take more is run once for each part of them.
 */
export const OBSERVED_BYTES = 256 << 20;

/** Copies of a model that give more values than it does, each in its folder for as long as it is used. */
export class ModelCopies {
  readonly opened: OpenedModel;
  private readonly file: string;
  private readonly folder: string;
  private readonly hints: RunHints;
  private count = 0;

  /** @param folder of the program's own; the model's files of external data are copied into it */
  constructor(file: string, folder: string, hints: RunHints) {
    [this.file, this.folder] = [file, folder];
    this.opened = openModel(file);
    this.hints = { ...hints, ...codesOfInputs(this.opened) };
    for (const { path: from } of this.opened.files.slice(1)) bringBeside(file, from, folder);
  }

  close(): void {
    this.opened.close();
  }

  /** Work with the model, which gives values, or their shapes, besides its outputs. */
  async withOutputs<T>(
    values: readonly string[],
    what: ObservedKind,
    work: (model: RunnableModel) => Promise<T>,
  ): Promise<T> {
    if (values.length === 0) return await this.load(this.file, work);
    return await this.copy(this.opened.withOutputs?.(values, what), work);
  }

  /** Work with parts of the model only. */
  async withLayers<T>(
    layers: readonly LayerCopy[],
    work: (model: RunnableModel) => Promise<T>,
  ): Promise<T> {
    if (this.opened.withLayers === undefined)
      throw new AppError('UNSUPPORTED', 'is of a format whose layers do not run by themselves', {
        file: this.file,
        field: 'format',
        found: this.opened.model.format,
        expected: 'ONNX or LiteRT',
      });
    return await this.copy(this.opened.withLayers(layers), work);
  }

  /** Of values in one run: how many elements each has, over all iterations where a loop computes it. */
  async elementsOf(values: readonly string[], feeds: Feeds): Promise<number[]> {
    return await this.withOutputs(values, 'shapes', async (model) => {
      const shapes = await runOnce(model, feeds);
      return values.map((name) => {
        const shape = shapes.get(`${name}${SHAPE_SUFFIX}`);
        return shape === undefined ? 1 : elementsOfShapes(shape);
      });
    });
  }

  private async copy<T>(
    layout: Layout | undefined,
    work: (model: RunnableModel) => Promise<T>,
  ): Promise<T> {
    if (layout === undefined)
      throw new AppError('UNSUPPORTED', 'is of a format whose activations are not observed', {
        file: this.file,
      });
    const target = path.join(this.folder, `observed-${this.count++}${this.opened.extension}`);
    try {
      await writeCopy(this.opened, layout, target);
      return await this.load(target, work);
    } finally {
      fs.rmSync(target, { force: true });
    }
  }

  private async load<T>(file: string, work: (model: RunnableModel) => Promise<T>): Promise<T> {
    const model = await loadModel(file, this.hints, { isUnchanged: true });
    try {
      return await work(model);
    } finally {
      await model.release();
    }
  }
}

/** How numbers become the codes of a model's own inputs; outputs that are observed are given as they are. */
function codesOfInputs({ runHints }: OpenedModel): Pick<RunHints, 'quantized'> {
  const inputs = runHints?.quantized?.inputs;
  return inputs === undefined ? {} : { quantized: { inputs, outputs: {} } };
}

/** Write a copy that holds no weights but those of its source. */
export async function writeCopy(
  { files }: OpenedModel,
  layout: Layout,
  target: string,
): Promise<void> {
  await writeModel({
    ...{ layout, files, target, replaced: [] },
    signal: new AbortController().signal,
    encode: () => Promise.resolve(),
    onProgress: () => undefined,
  });
}

/**
 * Copy a file of a model's external data to a folder, where it is as it is to the model. onnxruntime takes such files
 * from the folder of the model only, and follows no symbolic links out of it; a hard link would change the time of the
 * user's file.
 */
export function bringBeside(model: string, from: string, folder: string): void {
  const target = path.join(folder, path.relative(path.dirname(model), from));
  if (target === from) return;
  fs.mkdirSync(path.dirname(target), { recursive: true });
  fs.copyFileSync(from, target, fs.constants.COPYFILE_FICLONE);
}

/** Of a shape, or of one of each iteration along the axes before the last. */
export function elementsOfShapes({ data, dims }: OutputValue): number {
  const rank = dims.at(-1) ?? 0;
  const shapes = dims.slice(0, -1).reduce((product, count) => product * count, 1);
  let elements = 0;
  for (let at = 0; at < shapes; at++) {
    let product = 1;
    for (let axis = 0; axis < rank; axis++) product *= Number(data[at * rank + axis]);
    elements += product;
  }
  return elements;
}

/** Items in parts of which one run may give so many bytes; an item that is larger makes a part by itself. */
export function partsOf<T>(
  items: readonly T[],
  bytesOf: (item: T) => number,
  limit: number,
): readonly (readonly T[])[] {
  const parts: T[][] = [];
  let bytes = Infinity;
  for (const item of items) {
    bytes += bytesOf(item);
    if (bytes > limit) {
      parts.push([]);
      bytes = bytesOf(item);
    }
    parts.at(-1)!.push(item);
  }
  return parts;
}
