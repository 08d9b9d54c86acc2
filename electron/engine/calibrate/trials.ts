import { AppError } from '../../../shared/errors.ts';
import { append } from '../../../shared/lists.ts';
import type { Ranges } from '../../../shared/ranges.ts';
import type { ObservedInBody } from '../formats/format.ts';

/** Values that the runtime rejects, together, before what it rejects is skipped as a whole: each costs loading the model. */
export const MOST_REJECTED = 16;

export type Skipped = Ranges['skipped'][number];

/** How values are worked with: all of them at once. */
export interface Trial<T> {
  /** @throws AppError RUNTIME where the runtime rejects one of them */
  readonly work: (names: readonly string[]) => Promise<readonly T[]>;
  /** Told before values are worked with in so many parts, after the runtime rejected them together. */
  readonly onSplit: (parts: number) => void;
}

/**
 * Finds which values of bodies the runtime rejects, so that only those are skipped. Values of branches in loops, which it
 * rejects most, are told apart first, and then bodies, as a loop mostly rejects all of its values or none; the values of
 * one body are halved.
 */
export class Trials {
  private rejected = 0;
  private readonly values: ReadonlyMap<string, ObservedInBody>;

  constructor(inBodies: readonly ObservedInBody[]) {
    this.values = new Map(inBodies.map((value) => [value.name, value]));
  }

  async run<T>(
    names: readonly string[],
    trial: Trial<T>,
  ): Promise<(T | { readonly skipped: Skipped })[]> {
    if (names.length === 0) return [];
    try {
      return [...(await trial.work(names))];
    } catch (error) {
      if (!isRejection(error)) throw error;
      this.rejected++;
      if (names.length === 1 || this.rejected >= MOST_REJECTED) {
        const reason = whyRejected(error, names.length);
        return names.map((name) => ({ skipped: { name, reason } }));
      }
      const parts = this.split(names);
      trial.onSplit(parts.length);
      const found: (T | { readonly skipped: Skipped })[] = [];
      for (const part of parts) append(found, await this.run(part, trial));
      return found;
    }
  }

  private split(names: readonly string[]): readonly (readonly string[])[] {
    const values = names.map((name) => this.values.get(name)!);
    const certain = values.filter(({ isConditional }) => !isConditional);
    const bodies = [...new Set(values.map(({ body }) => body))];
    const first =
      certain.length > 0 && certain.length < values.length
        ? certain
        : bodies.length > 1
          ? inBodies(values, bodies.slice(0, bodies.length >> 1))
          : values.slice(0, values.length >> 1);
    const isFirst = new Set(first.map(({ name }) => name));
    return [[...isFirst], names.filter((name) => !isFirst.has(name))];
  }
}

function inBodies(
  values: readonly ObservedInBody[],
  bodies: readonly string[],
): readonly ObservedInBody[] {
  const wanted = new Set(bodies);
  return values.filter(({ body }) => wanted.has(body));
}

/** Whether the runtime rejected a model, or a run of it. */
export function isRejection(error: unknown): error is AppError {
  return error instanceof AppError && error.code === 'RUNTIME';
}

/** What onnxruntime says of an output of a loop that has another shape in an iteration than in the one before. */
const SHAPES_DIFFER = /Inconsistent shape|Unexpected shape|shape mismatch/i;

export const UNEVEN = 'its shape differs between the iterations of a loop';
const ONE_UNEVEN =
  'its shape, or that of a value observed with it, differs between the iterations of a loop';

function whyRejected({ details, message }: AppError, values: number): string {
  const said = details.found ?? message;
  if (SHAPES_DIFFER.test(said)) return values === 1 ? UNEVEN : ONE_UNEVEN;
  return `${values === 1 ? 'cannot be observed' : 'cannot be observed with others'}: ${said}`;
}
