/** How far a run is: sample `done` of `of` is being run; 0 while it prepares. */
export interface RunProgress {
  readonly what: string;
  readonly done: number;
  readonly of: number;
  /** Runs that ended, of all; 0 to 1. */
  readonly fraction: number;
  /** From the time that whole samples took; null before one has ended. */
  readonly secondsLeft: number | null;
}

/** Progress before the first sample; `of` is 0 where there are none. */
export function preparing(what: string, of = 0): RunProgress {
  return { what, done: 0, of, fraction: 0, secondsLeft: null };
}

/** Times the runs of two models, and tells before each one how far the whole is. */
export class RunClock {
  /** How many samples there are; 0 before that is known. */
  of: number;
  /** Milliseconds of each run. */
  readonly times: { readonly original: number[]; readonly exported: number[] } = {
    original: [],
    exported: [],
  };
  private readonly report: (progress: RunProgress) => void;
  private readonly clock: () => number;
  private readonly what: string;
  private started = 0;

  constructor(
    report: (progress: RunProgress) => void,
    of: number,
    clock: () => number = () => performance.now(),
    what = 'Sample',
  ) {
    this.report = report;
    this.of = of;
    this.clock = clock;
    this.what = what;
  }

  preparing(what: string): void {
    this.report(preparing(what, this.of));
  }

  /** Run one model on sample `index`. */
  async run<T>(side: 'original' | 'exported', index: number, work: () => Promise<T>): Promise<T> {
    if (index === 0 && side === 'original') this.started = this.clock();
    const ended = index + (side === 'original' ? 0 : 0.5);
    // Only whole samples: the two models may differ in speed.
    const perSample = index === 0 ? null : (this.clock() - this.started) / 1000 / ended;
    this.report({
      what: this.what,
      done: index + 1,
      of: this.of,
      fraction: ended / this.of,
      secondsLeft: perSample === null ? null : perSample * (this.of - ended),
    });
    return await this.time(side, work);
  }

  /** A clock for another comparison of the same samples. @param what is done to each: "Weights alone, sample" */
  next(what: string): RunClock {
    return new RunClock(this.report, this.of, this.clock, what);
  }

  /** Run one model once more for its time alone. */
  async time<T>(side: 'original' | 'exported', work: () => Promise<T>): Promise<T> {
    const from = this.clock();
    const result = await work();
    this.times[side].push(this.clock() - from);
    return result;
  }
}

/** Tells how far the runs of all rounds are. */
export class SampleClock {
  /** Runs of a round. */
  readonly samples: number;
  private readonly report: (progress: RunProgress) => void;
  private readonly what: string;
  private readonly started = performance.now();
  /** Rounds that have not ended. */
  private rounds: number;
  /** Runs of rounds that have ended. */
  private ended = 0;
  /** Runs of the current round that have ended. */
  private index = 0;

  /** @param what is done to each sample, such as "Observing sample" */
  constructor(
    report: (progress: RunProgress) => void,
    what: string,
    rounds: number,
    samples: number,
  ) {
    this.report = report;
    this.what = what;
    this.rounds = rounds;
    this.samples = samples;
  }

  /** Announce rounds besides those that are known. */
  addRounds(rounds: number): void {
    this.rounds += rounds;
  }

  nextRound(): void {
    this.rounds--;
    this.ended += this.samples;
    this.index = 0;
  }

  /** Do work that takes rounds; where it throws, those of them that have not ended are left out. */
  async take<T>(rounds: number, work: () => Promise<T>): Promise<T> {
    const after = this.rounds - rounds;
    try {
      return await work();
    } catch (error) {
      this.rounds = after;
      this.ended += this.index;
      this.index = 0;
      throw error;
    }
  }

  sample(index: number): void {
    this.index = index;
    const done = this.ended + index;
    const of = this.ended + this.rounds * this.samples;
    const perRun = done === 0 ? null : (performance.now() - this.started) / 1000 / done;
    this.report({
      ...{ what: this.what, done: index + 1, of: this.samples, fraction: done / of },
      secondsLeft: perRun === null ? null : perRun * (of - done),
    });
  }
}
