// Choosing one scheme for each tensor: the least of one sum while another stays under a limit.

/** One way to store a tensor: two costs, both added up over the model. Units are the caller's. */
export interface Cost {
  /** What the limit is on. */
  readonly limited: number;
  /** What is to be least. */
  readonly least: number;
}

/** The options of each tensor; every tensor has at least one. */
export type Options = readonly (readonly Cost[])[];

/** Going from one option of a tensor to another that spends more of the limit. */
interface Step {
  readonly item: number;
  readonly to: number;
  readonly limited: number;
  /** Change of `least` for each unit of the limit: under 0, and the lower the better. */
  readonly slope: number;
}

/** Tensors that are solved exactly, around the point where the limit is met. */
const CORE = 12;
/** Partial plans kept for each tensor of the core. */
const MAX_STATES = 8192;

/**
 * The index of the chosen option of each tensor, or null when not even the most frugal choice stays
 * within the limit. The convex hull of each tensor's options gives the Lagrangian solution; the
 * tensors nearest to its break are then solved anew by dynamic programming (Pisinger's core of a
 * multiple-choice knapsack), which is exact where there are at most 12 tensors.
 */
export function leastWithin(options: Options, limit: number): readonly number[] | null {
  const { start, steps } = stepsOf(options);
  let used = sumOf(options, start, 'limited');
  if (used > limit) return null;
  const chosen = [...start];
  const blocked = new Set<number>();
  let critical: number | null = null;
  for (const step of steps) {
    if (blocked.has(step.item)) continue;
    if (used + step.limited > limit) {
      critical ??= step.slope;
      blocked.add(step.item);
      continue;
    }
    used += step.limited;
    chosen[step.item] = step.to;
  }
  if (critical === null) return chosen;
  const refined = solveCore(options, chosen, coreOf(steps, critical), limit);
  return sumOf(options, refined, 'least') < sumOf(options, chosen, 'least') ? refined : chosen;
}

/** One of the Lagrangian plans, and what was changed since the one before it. */
export interface FrontierPoint extends Cost {
  readonly step: { readonly item: number; readonly to: number } | null;
}

/** The most frugal option of each tensor: where the frontier begins. */
export function frugalChoice(options: Options): readonly number[] {
  return stepsOf(options).start;
}

/** The whole course of Lagrangian plans, from the most frugal on; `limited` rises and `least` falls. */
export function frontier(options: Options): readonly FrontierPoint[] {
  const { start, steps } = stepsOf(options);
  const chosen = [...start];
  let limited = sumOf(options, start, 'limited');
  const points: FrontierPoint[] = [{ limited, least: sumOf(options, start, 'least'), step: null }];
  for (const { item, to } of steps) {
    const [before, after] = [options[item]![chosen[item]!]!, options[item]![to]!];
    limited += after.limited - before.limited;
    const least = points[points.length - 1]!.least + after.least - before.least;
    points.push({ limited, least, step: { item, to } });
    chosen[item] = to;
  }
  return points;
}

/** The sum of one cost over a choice. */
export function sumOf(options: Options, chosen: readonly number[], cost: keyof Cost): number {
  return chosen.reduce((sum, option, item) => sum + options[item]![option]![cost], 0);
}

function stepsOf(options: Options): { start: readonly number[]; steps: readonly Step[] } {
  const hulls = options.map(hullOf);
  const steps = hulls.flatMap((hull, item) =>
    hull.slice(1).map((to, index): Step => {
      const [from, next] = [options[item]![hull[index]!]!, options[item]![to]!];
      const limited = next.limited - from.limited;
      return { item, to, limited, slope: (next.least - from.least) / limited };
    }),
  );
  return {
    start: hulls.map((hull) => hull[0]!),
    steps: steps.sort((a, b) => a.slope - b.slope),
  };
}

/** Options that are no worse than every other in one of the costs, ascending by the limited one. */
function undominated(options: readonly Cost[]): readonly number[] {
  const order = options
    .map((_, index) => index)
    .sort(
      (a, b) => options[a]!.limited - options[b]!.limited || options[a]!.least - options[b]!.least,
    );
  let least = Infinity;
  return order.filter((index) => {
    if (options[index]!.least >= least) return false;
    least = options[index]!.least;
    return true;
  });
}

function hullOf(options: readonly Cost[]): readonly number[] {
  const hull: number[] = [];
  for (const index of undominated(options)) {
    const next = options[index]!;
    while (hull.length > 1) {
      const [a, b] = [options[hull[hull.length - 2]!]!, options[hull[hull.length - 1]!]!];
      const before = (b.least - a.least) / (b.limited - a.limited);
      if (before < (next.least - b.least) / (next.limited - b.limited)) break;
      hull.pop();
    }
    hull.push(index);
  }
  return hull;
}

/** The tensors with a step whose slope is nearest, as a ratio, to the one at which the limit was met. */
function coreOf(steps: readonly Step[], critical: number): readonly number[] {
  const distance = new Map<number, number>();
  for (const { item, slope } of steps) {
    const ratio = Math.abs(Math.log(slope / critical));
    distance.set(item, Math.min(ratio, distance.get(item) ?? Infinity));
  }
  return [...distance]
    .sort((a, b) => a[1] - b[1])
    .slice(0, CORE)
    .map(([item]) => item);
}

interface State extends Cost {
  readonly option: number;
  readonly before: State | null;
}

function solveCore(
  options: Options,
  chosen: readonly number[],
  core: readonly number[],
  limit: number,
): readonly number[] {
  const inCore = new Set(core);
  const outside = chosen.map((option, item) =>
    inCore.has(item) ? { limited: 0, least: 0 } : options[item]![option]!,
  );
  const base = outside.reduce((sum, cost) => sum + cost.limited, 0);
  let states: readonly State[] = [{ limited: base, least: 0, option: -1, before: null }];
  for (const item of core) {
    const next = states.flatMap((before) =>
      undominated(options[item]!).map((option): State => {
        const cost = options[item]![option]!;
        const limited = before.limited + cost.limited;
        return { limited, least: before.least + cost.least, option, before };
      }),
    );
    states = thinned(undominated(next).map((index) => next[index]!));
  }
  const within = states.filter((state) => state.limited <= limit);
  const refined = [...chosen];
  let state = within[within.length - 1] ?? null;
  for (let index = core.length - 1; index >= 0 && state !== null; index--) {
    refined[core[index]!] = state.option;
    state = state.before;
  }
  return refined;
}

/** At most MAX_STATES of the states, evenly, the first and the last among them. */
function thinned(states: readonly State[]): readonly State[] {
  if (states.length <= MAX_STATES) return states;
  const stride = (states.length - 1) / (MAX_STATES - 1);
  return Array.from({ length: MAX_STATES }, (_, index) => states[Math.round(index * stride)]!);
}
