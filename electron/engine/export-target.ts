import * as fs from 'node:fs';
import * as path from 'node:path';
import { AppError, ioError } from '../../shared/errors.ts';
import { checkTarget, type InputFile } from '../files/atomic-file.ts';
import type { Layout } from './export/layout.ts';
import { isPartName, partsNamedAfter } from './export/part-names.ts';
import { openModel } from './formats/registry.ts';

/** More old parts than this are not ours: three exports to one target leave two sets at most. */
const MOST_NAMES = 1000;

/** How an export is written to a target. */
export interface TargetPlan {
  /** Its parts have names that no file has. */
  readonly layout: Layout;
  /** Paths of files that the export replaces: parts of the model that is there now, by its own word. */
  readonly ownParts: readonly string[];
  /** Paths of files that have the names of the export's parts, and belong to something else. */
  readonly inTheWay: readonly string[];
}

/**
 * Find names for an export's parts, and what the export replaces.
 * @param layoutFor lays the export out with its parts named after a name
 * @throws AppError TARGET when the target or a part would be one of the inputs, or is not a regular file
 */
export function planTarget(
  target: string,
  layoutFor: (name: string) => Layout,
  inputs: readonly InputFile[],
): TargetPlan {
  const whole = path.resolve(target);
  checkTarget(whole, inputs);
  const [folder, name] = [path.dirname(whole), path.basename(whole)];
  const taken = (layout: Layout): string[] =>
    layout.beside.map((part) => path.join(folder, part.name)).filter(exists);
  let layout = layoutFor(name);
  const own = ownParts(whole, inputs);
  const inTheWay = taken(layout).filter((file) => !own.includes(file));
  for (const file of inTheWay) checkTarget(file, inputs);
  for (let count = 2; taken(layout).length > 0; count++) {
    if (count > MOST_NAMES)
      throw new AppError('TARGET', 'has no free names for its parts; choose another', {
        file: whole,
        found: `${MOST_NAMES} sets of parts`,
        expected: 'an empty folder',
      });
    layout = layoutFor(partsNamedAfter(name, count));
  }
  return { layout, ownParts: own, inTheWay };
}

/** @throws AppError TARGET naming the files */
export function refuseInTheWay(target: string, { inTheWay }: TargetPlan): void {
  if (inTheWay.length === 0) return;
  const names = inTheWay.map((file) => path.basename(file));
  const more = names.length > 3 ? ` and ${names.length - 3} more` : '';
  throw new AppError(
    'TARGET',
    'needs names that other files have; choose another, or overwrite them',
    {
      file: target,
      found: `${names.slice(0, 3).join(', ')}${more}`,
      expected: 'free names, or --overwrite',
    },
  );
}

/**
 * Parts of the model that a target is now: files that it names, and that are named as our exports
 * name them. What it names otherwise may be another model's too.
 */
function ownParts(target: string, inputs: readonly InputFile[]): string[] {
  if (!exists(target)) return [];
  const isInput = (file: string): boolean => {
    try {
      checkTarget(file, inputs);
      return false;
    } catch {
      return true;
    }
  };
  try {
    const opened = openModel(target);
    const files = opened.files.map((file) => path.resolve(file.path));
    opened.close();
    return files.filter(
      (file) =>
        path.dirname(file) === path.dirname(target) &&
        isPartName(path.basename(target), path.basename(file)) &&
        !isInput(file),
    );
  } catch {
    return []; // It is not a model, so it has no parts.
  }
}

function exists(file: string): boolean {
  try {
    return fs.lstatSync(file, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    throw ioError('cannot be written', file, error);
  }
}
