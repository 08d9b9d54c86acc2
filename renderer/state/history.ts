/** A past and a future of values, each with what was done to reach the next. Readonly: every step is a new one. */
export interface History<T> {
  readonly past: readonly Step<T>[];
  readonly present: T;
  readonly future: readonly Step<T>[];
}

interface Step<T> {
  readonly value: T;
  /** What was done between this value and its later neighbour, such as "dtype of A". */
  readonly what: string;
}

/** Enough for an afternoon; old steps are forgotten first. */
const LIMIT = 200;

export function startHistory<T>(present: T): History<T> {
  return { past: [], present, future: [] };
}

export function record<T>(history: History<T>, present: T, what: string): History<T> {
  const past = [...history.past, { value: history.present, what }].slice(-LIMIT);
  return { past, present, future: [] };
}

/** What undo would take back, or null. */
export function undoable(history: History<unknown>): string | null {
  return history.past.at(-1)?.what ?? null;
}

/** What redo would do again, or null. */
export function redoable(history: History<unknown>): string | null {
  return history.future[0]?.what ?? null;
}

export function undo<T>(history: History<T>): History<T> {
  const step = history.past.at(-1);
  if (step === undefined) return history;
  const undone = { value: history.present, what: step.what };
  return {
    past: history.past.slice(0, -1),
    present: step.value,
    future: [undone, ...history.future],
  };
}

export function redo<T>(history: History<T>): History<T> {
  const [step, ...future] = history.future;
  if (step === undefined) return history;
  return {
    past: [...history.past, { value: history.present, what: step.what }],
    present: step.value,
    future,
  };
}
