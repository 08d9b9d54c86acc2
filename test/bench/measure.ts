/** The middle of sorted numbers. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

/** How long each run of a task takes, in milliseconds, after two runs that do not count. */
export async function times(task: () => unknown, runs = 15): Promise<number[]> {
  const found: number[] = [];
  for (let run = -2; run < runs; run++) {
    const start = performance.now();
    await task();
    if (run >= 0) found.push(performance.now() - start);
  }
  return found;
}

/** The median of these times. */
export async function timed(task: () => unknown, runs = 15): Promise<number> {
  return median(await times(task, runs));
}

/**
 * The medians of two tasks that take turns, so that what else the machine does falls on both.
 */
export async function timedInTurn(
  first: () => unknown,
  second: () => unknown,
  runs = 15,
): Promise<[number, number]> {
  const found: [number[], number[]] = [[], []];
  for (let run = -2; run < runs; run++) {
    for (const [index, task] of [first, second].entries()) {
      const start = performance.now();
      await task();
      if (run >= 0) found[index]!.push(performance.now() - start);
    }
  }
  return [median(found[0]), median(found[1])];
}

/** One line of the table. A peer that is not there is named with why. */
export interface Row {
  readonly what: string;
  readonly ours: string;
  readonly peer: string;
  readonly ratio: string;
  readonly reach: string;
  readonly reached: boolean | null;
}

/** A row about times: `ours` must take at most `reach` times what the peer takes. */
export function compared(
  what: string,
  ours: number,
  peerName: string,
  peer: number,
  reach: number,
): Row {
  const ratio = ours / peer;
  const isSpeedup = reach < 1;
  const words = isSpeedup ? `${round(1 / reach)}x faster` : `within ${reach}x`;
  return {
    what,
    ours: milliseconds(ours),
    peer: `${peerName} ${milliseconds(peer)}`,
    ratio: isSpeedup ? `${round(1 / ratio)}x faster` : `${round(ratio)}x`,
    reach: words,
    reached: ratio <= reach,
  };
}

/** A row about a limit of ours alone. */
export function limited(what: string, found: number, limit: number, unit: string): Row {
  return {
    what,
    ours: `${round(found)} ${unit}`,
    peer: '',
    ratio: '',
    reach: `under ${limit} ${unit}`,
    reached: found < limit,
  };
}

/** A row whose peer could not be measured. */
export function skipped(what: string, ours: string, why: string, reach: string): Row {
  return { what, ours, peer: `skipped: ${why}`, ratio: '', reach, reached: null };
}

export function milliseconds(time: number): string {
  return `${round(time)} ms`;
}

export function round(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** The rows as a Markdown table. */
export function table(rows: readonly Row[]): string {
  const head = ['what', 'Quantscope', 'against', 'ratio', 'reach', ''];
  const body = rows.map(({ what, ours, peer, ratio, reach, reached }) => [
    what,
    ours,
    peer,
    ratio,
    reach,
    reached === null ? '' : reached ? 'reached' : 'MISSED',
  ]);
  const widths = head.map((_, column) =>
    Math.max(...[head, ...body].map((cells) => cells[column]!.length)),
  );
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`;
  const rule = `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`;
  return [line(head), rule, ...body.map(line)].join('\n');
}
