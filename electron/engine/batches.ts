import type { TensorRef } from '../../shared/model.ts';
import type { TensorPlan } from '../../shared/plan.ts';

/** Small tensors go to a worker together until they reach this, as a message costs more than they do. */
const BATCH_BYTES = 1 << 18;

/** A plan in batches for the workers: the tensors asked for first before all others, each part in its order. */
export function* batchesOf(
  plan: readonly TensorPlan[],
  tensors: readonly TensorRef[],
  first: readonly number[],
): Generator<TensorPlan[]> {
  const isFirst = new Set(first);
  for (const part of split(plan, (entry) => isFirst.has(entry.tensor))) {
    let [batch, bytes] = [[] as TensorPlan[], 0];
    for (const entry of part) {
      batch.push(entry);
      bytes += tensors[entry.tensor]!.bytes;
      if (bytes < BATCH_BYTES) continue;
      yield batch;
      [batch, bytes] = [[], 0];
    }
    if (batch.length > 0) yield batch;
  }
}

/** The items that pass a test, then those that do not, each in their order. */
export function split<T>(items: readonly T[], test: (item: T) => boolean): [T[], T[]] {
  const [yes, no]: [T[], T[]] = [[], []];
  for (const item of items) (test(item) ? yes : no).push(item);
  return [yes, no];
}
