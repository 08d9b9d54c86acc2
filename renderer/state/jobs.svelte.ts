import { printable } from '../../shared/errors.ts';
import type { Progress } from '../../shared/protocol.ts';

/** Something that runs in the engine and that the status bar tells of. */
export class Job {
  readonly label: string;
  readonly cancel: (() => void) | null;
  readonly isFirst: boolean;
  readonly isExport: boolean;
  readonly #started = performance.now();
  progress = $state.raw<Progress | null>(null);
  secondsLeft = $state.raw<number | null>(null);

  /** @param kind.isFirst whether the status bar shows it before younger jobs */
  constructor(
    label: string,
    cancel: (() => void) | null,
    { isFirst = false, isExport = false } = {},
  ) {
    this.isFirst = isFirst;
    this.isExport = isExport;
    this.label = printable(label);
    this.cancel = cancel;
  }

  /**
   * Done so far, 0 to 1: by bytes where they are counted, else by items. Not a derived value: one made in a
   * view's effect would stand still once that view is left, while the job goes on.
   */
  get fraction(): number {
    return this.progress === null ? 0 : fractionOf(this.progress);
  }

  /** For how long it has run. */
  get seconds(): number {
    return (performance.now() - this.#started) / 1000;
  }

  update(progress: Progress): void {
    this.progress = progress;
    const { seconds } = this;
    const fraction = fractionOf(progress);
    // A guess made from too little would jump about.
    const estimate =
      seconds < 0.5 || fraction < 0.03 ? null : (seconds / fraction) * (1 - fraction);
    this.secondsLeft = progress.secondsLeft === undefined ? estimate : progress.secondsLeft;
  }
}

function fractionOf(progress: Progress): number {
  const { bytesDone, bytesOf, done, of } = progress;
  if (progress.fraction !== undefined) return progress.fraction;
  const fraction = bytesOf > 0 ? bytesDone / bytesOf : of > 0 ? done / of : 0;
  return Math.min(1, Math.max(0, fraction));
}

/** The jobs at hand, oldest first. */
export class Jobs {
  readonly #onEnd: (job: Job, isDone: boolean) => void;
  list = $state.raw<readonly Job[]>([]);
  /** The one that the status bar shows. */
  readonly shown = $derived(this.list.find(({ isFirst }) => isFirst) ?? this.list.at(-1));

  /** How far the export at hand is, in steps of 1 %; null where none runs. */
  readonly exported = $derived.by((): number | null => {
    const job = this.list.find(({ isExport }) => isExport);
    return job === undefined ? null : Math.round(job.fraction * 100) / 100;
  });

  /** @param onEnd told of every job that ended, and whether it did what it was for */
  constructor(onEnd: (job: Job, isDone: boolean) => void = () => undefined) {
    this.#onEnd = onEnd;
  }

  async run<T>(job: Job, work: () => Promise<T>): Promise<T> {
    this.list = [...this.list, job];
    let isDone = false;
    try {
      const result = await work();
      isDone = true;
      return result;
    } finally {
      this.#onEnd(job, isDone);
      this.list = this.list.filter((other) => other !== job);
    }
  }
}
