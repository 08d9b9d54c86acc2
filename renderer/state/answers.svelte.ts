import type { AnswerKind, BoxOrder, SampleAnswers, TotalAgreement } from '../../shared/answers.ts';
import { smallest } from '../../shared/lists.ts';
import { toErrorData, type ErrorData } from '../../shared/errors.ts';
import type { ChosenFile, RememberedAnswer } from '../../shared/ipc.ts';
import type { AnswerSlot as Candidate, ShownAs } from '../../shared/protocol.ts';
import type { StoreHost } from './store-host.ts';

/** What this store takes of the workbench. */
type Host = Pick<StoreHost, 'file' | 'client' | 'api' | 'announcer' | 'fail'>;
type By<T> = Readonly<Partial<Record<Candidate, T | undefined>>>;

const UNCHOSEN: Omit<RememberedAnswer, 'output'> = {
  kind: null,
  names: null,
  order: null,
  file: null,
};

/** What the original and the quantized models answer in one sample, and what each output is shown as. */
export class Answers {
  readonly #workbench: Host;
  /** Candidates with outputs to show, in the order of the view. */
  readonly #kept: () => readonly Candidate[];
  sample = $state(0);
  found = $state.raw<By<SampleAnswers>>({});
  totals = $state.raw<By<readonly TotalAgreement[]>>({});
  error = $state.raw<ErrorData | null>(null);
  #chosen = $state.raw<readonly RememberedAnswer[]>([]);
  /** Ends what an earlier choice asked for. */
  #asking = new AbortController();
  #isRemembered = false;
  /** The totals are of an earlier choice or run. */
  #areTotalsStale = false;

  constructor(workbench: Host, kept: () => readonly Candidate[]) {
    this.#workbench = workbench;
    this.#kept = kept;
  }

  /** Samples that every candidate has. */
  get samples(): number {
    const counts = this.#kept().map((candidate) => this.found[candidate]?.kept ?? 0);
    return counts.length === 0 ? 0 : smallest(counts);
  }

  /** Another model is open. */
  reset(): void {
    this.#asking.abort();
    this.sample = 0;
    this.found = {};
    this.totals = {};
    this.error = null;
    this.#chosen = [];
    this.#isRemembered = false;
  }

  /** A candidate ran: show the sample that was looked at, or the first. */
  async ran(candidate: Candidate, kept: number): Promise<void> {
    this.found = { ...this.found, [candidate]: undefined };
    this.totals = { ...this.totals, [candidate]: undefined };
    if (this.sample >= kept) this.sample = 0;
    await this.#remember();
    await this.load();
  }

  async step(by: number): Promise<void> {
    const next = this.sample + by;
    if (next < 0 || next >= this.samples) return;
    this.sample = next;
    await this.load(false);
    this.#workbench.announcer.say(`Sample ${next + 1} of ${this.samples}`);
  }

  chosen(output: string): RememberedAnswer {
    return this.#chosen.find((each) => each.output === output) ?? { output, ...UNCHOSEN };
  }

  show(output: string, kind: AnswerKind | null): Promise<void> {
    return this.#choose(output, { kind });
  }

  order(output: string, order: BoxOrder | null): Promise<void> {
    return this.#choose(output, { order });
  }

  /** Ask for a file of names; nothing changes where the person changed their mind. */
  async chooseNames(output: string): Promise<void> {
    const answer = await this.#workbench.api.namesDialog();
    if (!answer.ok) return this.#workbench.fail(answer.error);
    if (answer.value !== null) await this.#useNames(output, answer.value);
  }

  #useNames(output: string, file: ChosenFile): Promise<void> {
    return this.#choose(output, { names: file.handle, file });
  }

  /** Take the files that lie beside the model again. */
  forgetNames(output: string): Promise<void> {
    return this.#choose(output, { names: null, file: null });
  }

  async #choose(output: string, change: Partial<RememberedAnswer>): Promise<void> {
    const chosen = { ...this.chosen(output), ...change };
    this.#chosen = [...this.#chosen.filter((each) => each.output !== output), chosen];
    const { file, api } = this.#workbench;
    if (file !== null) void api.setShown(file.handle, this.#shown());
    await this.load();
  }

  #shown(): ShownAs[] {
    return this.#chosen.map(({ output, kind, names, order }) => ({ output, kind, names, order }));
  }

  async #remember(): Promise<void> {
    const { file, api } = this.#workbench;
    if (this.#isRemembered || file === null) return;
    const answer = await api.getShown(file.handle);
    if (this.#workbench.file !== file) return;
    this.#isRemembered = true;
    if (answer.ok) this.#chosen = answer.value;
  }

  /** Ask for the sample and, where what is shown has changed, for the agreement over all of them. */
  async load(withTotals = true): Promise<void> {
    const { file, client } = this.#workbench;
    if (withTotals) this.#areTotalsStale = true;
    this.#asking.abort();
    this.#asking = new AbortController();
    const { signal } = this.#asking;
    if (file === null) return;
    const common = { handle: file.handle, shown: this.#shown() };
    const { sample } = this;
    try {
      for (const slot of this.#kept()) {
        const found = await client.request('answers', { ...common, slot, sample }, { signal });
        if (signal.aborted) return;
        this.found = { ...this.found, [slot]: found };
      }
      this.error = null;
      if (!this.#areTotalsStale) return;
      for (const slot of this.#kept()) {
        const total = await client.request('agreement', { ...common, slot }, { signal });
        if (signal.aborted) return;
        this.totals = { ...this.totals, [slot]: total };
      }
      this.#areTotalsStale = false;
    } catch (error) {
      if (!signal.aborted) this.error = toErrorData(error);
    }
  }
}
