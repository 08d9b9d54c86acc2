import { basename, dirname } from 'node:path';
import { AppError } from '../../../shared/errors.ts';
import type { ExportResult } from '../../../shared/exports.ts';
import type { Progress } from '../../../shared/protocol.ts';
import type { Session } from '../session.ts';
import type { Call } from './call.ts';

interface Export {
  readonly abort: AbortController;
  readonly target: string;
  readonly session: Session;
  readonly listeners: Set<(progress: Progress) => void>;
  readonly result: Promise<ExportResult>;
}

/** What begins an export, whose progress goes to whoever follows it. */
type Begin = (onProgress: (progress: Progress) => void) => Promise<ExportResult>;

/** The exports that run, whichever page asked for them: they outlive it. */
export class RunningExports {
  private readonly running = new Map<number, Export>();
  private readonly onChange: () => void;
  private lastJob = 0;

  /** @param onChange told when an export has begun or ended */
  constructor(onChange: () => void) {
    this.onChange = onChange;
  }

  async run(
    session: Session,
    target: string,
    { abort, onProgress }: Call,
    begin: Begin,
  ): Promise<ExportResult> {
    const listeners = new Set([onProgress]);
    const result = begin((progress) => listeners.forEach((listener) => listener(progress)));
    const job = ++this.lastJob;
    this.running.set(job, { abort, target, session, listeners, result });
    this.onChange();
    try {
      return await result;
    } finally {
      this.running.delete(job);
      this.onChange();
    }
  }

  /** Answers as the export does. To cancel it cancels the export. @throws AppError BAD_USAGE */
  follow(job: number, { signal, onProgress }: Call): Promise<ExportResult> {
    const running = this.running.get(job);
    if (running === undefined)
      throw new AppError('BAD_USAGE', 'that export is not running', {
        field: 'job',
        found: String(job),
      });
    running.listeners.add(onProgress);
    signal.addEventListener('abort', () => running.abort.abort(), { once: true });
    return running.result;
  }

  /** Stop them all: their targets stay as they were. */
  cancel(): void {
    for (const { abort } of this.running.values()) abort.abort();
  }

  isExporting(session: Session): boolean {
    return [...this.running.values()].some((running) => running.session === session);
  }

  get jobs(): { readonly job: number; readonly label: string }[] {
    return [...this.running].map(([job, { target }]) => ({ job, label: basename(target) }));
  }

  /** Where they write to. */
  get folders(): readonly string[] {
    return [...this.running.values()].map(({ target }) => dirname(target));
  }
}
