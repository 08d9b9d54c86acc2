import { SHAPE_SUFFIX } from '../formats/format.ts';
import type { Outputs } from '../runtime/compare-outputs.ts';
import { elementsOfShapes } from '../runtime/model-copies.ts';
import type { OutputValue } from '../runtime/runnable.ts';

/** How large a value is in one run. */
export interface Sized {
  readonly name: string;
  readonly elements: number;
}

/** How large a value of a body is over the iterations of the loops around it: the most of several runs. */
export class BodySize implements Sized {
  readonly name: string;
  elements = 0;
  /** Whether its shape differs between iterations of a run, so that the runtime cannot stack it. */
  isUneven = false;

  constructor(name: string) {
    this.name = name;
  }

  /** @param outputs of a copy that gives shapes */
  add(outputs: Outputs): void {
    const shapes = outputs.get(`${this.name}${SHAPE_SUFFIX}`);
    if (shapes === undefined) return;
    this.elements = Math.max(this.elements, elementsOfShapes(shapes));
    this.isUneven ||= !isEven(shapes);
  }
}

/** Whether all rows are the same. */
function isEven({ data, dims }: OutputValue): boolean {
  const rank = dims.at(-1) ?? 0;
  for (let at = rank; at < data.length; at++) if (data[at] !== data[at - rank]) return false;
  return true;
}
