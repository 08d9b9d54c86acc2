import type { InputFacts } from './dimensions.ts';

/** Words that only say which way a value goes, on either side. */
const DIRECTIONS = new Set(
  (
    'past present in out input output init initial prev previous old new next final updated ' +
    'current cur n i o from to'
  ).split(' '),
);
/** What a value that is carried from step to step is called (transformers, NeMo, WeNet, torch.nn.LSTM). */
const CARRIED = /^(h|c|hx|cx|hn|cn|states?|hidden|cells?|caches?|mems?|memory)$/;

/**
 * Inputs that an output of the same run feeds in the next one, with the output's name: their names differ only by a
 * direction (past_key_values.0.key and present.0.key, state and stateN, h0 and hn), their types and
 * shapes agree. Such an input is zero in the first step; a name such as "hidden_states" alone proves nothing.
 */
export function carriedInputs(
  inputs: readonly InputFacts[],
  outputs: readonly InputFacts[],
): ReadonlyMap<string, string> {
  const byStem = new Map<string, InputFacts>();
  for (const output of outputs) {
    const stem = stemOf(output.name);
    if (stem !== null) byStem.set(stem, output);
  }
  const carried = new Map<string, string>();
  for (const input of inputs) {
    const stem = stemOf(input.name);
    const output = stem === null ? undefined : byStem.get(stem);
    if (output !== undefined && output.type === input.type && canBeSame(input, output))
      carried.set(input.name, output.name);
  }
  return carried;
}

/** A name without its direction; null where it is not that of a carried value. */
function stemOf(name: string): string | null {
  const words = name
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .replace(/past_key_values?/, 'past')
    .split(/[^a-z0-9]+|(?<=[a-z])(?=\d)|(?<=\d)(?=[a-z])/)
    .filter((word) => word !== '');
  const hasPast = words.includes('past') || words.includes('present');
  const isCarried = hasPast || words.some((word) => CARRIED.test(word));
  if (!isCarried) return null;
  const kept = words
    .filter((word) => !DIRECTIONS.has(word))
    .map((word) => (word === 'hn' || word === 'cn' ? word[0]! : word));
  // torch calls the first state h0 and the last hn.
  if (kept.length === 2 && /^[hc]x?$/.test(kept[0]!) && kept[1] === '0') kept.pop();
  return `${hasPast ? 'past' : ''}|${kept.join('.')}`;
}

function canBeSame({ shape }: InputFacts, { shape: other }: InputFacts): boolean {
  // An output whose shape onnxruntime cannot infer has none.
  if (other.length === 0) return true;
  return (
    shape.length === other.length &&
    shape.every(
      (dim, axis) => typeof dim === 'string' || isFree(other[axis]!) || dim === other[axis],
    )
  );
}

function isFree(dim: number | string): boolean {
  return typeof dim === 'string';
}
