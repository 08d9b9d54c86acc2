import { dtypeOf } from '../../../shared/dtypes.ts';
import type { WeightPlans, TensorPlan } from '../../../shared/plan.ts';
import { storageDtype } from '../../../shared/scheme.ts';
import type { Layout } from './layout.ts';

/**
 * A plan as an export carries it out. A tensor that the layout refuses is kept, with the layout's
 * reason; one that it stores under another scheme (or changes although the recipe does not ask for it,
 * as a cast of the whole checkpoint does) has that scheme. Analysis, inspector and export all take
 * this plan, so that what is shown is what is written.
 *
 * Types of 32 bits are an exception: no export stores them to a profit, and whoever asks for one wants
 * to see its error. They stay in the plan, and the reason says that an export keeps the tensor.
 */
export function fitPlan(asked: WeightPlans, layout: Layout): WeightPlans {
  const written = new Map(layout.quantized.map((entry) => [entry.tensor, entry]));
  const refused = new Map(layout.refused.map(({ tensor, reason }) => [tensor, reason]));
  return asked.map((entry) =>
    fitEntry(entry, written.get(entry.tensor) ?? null, refused.get(entry.tensor) ?? null),
  );
}

function fitEntry(
  entry: TensorPlan,
  written: Layout['quantized'][number] | null,
  refused: string | null,
): TensorPlan {
  if (written !== null) {
    const { scheme, scaleDtype, storedBytes, mayOverflow, reason } = written;
    return {
      ...{ ...entry, scheme, reason: reason ?? entry.reason },
      ...(scaleDtype === undefined ? {} : { scaleDtype }),
      ...(storedBytes === undefined ? {} : { storedBytes }),
      ...(mayOverflow === undefined ? {} : { mayOverflow }),
    };
  }
  if (entry.scheme === null) return refused === null ? entry : { ...entry, reason: refused };
  const reason = refused ?? 'not stored by this export mode';
  if (dtypeOf(storageDtype(entry.scheme.dtype)).bits >= 32)
    return { ...entry, reason: `shown only, as an export keeps it: ${reason}` };
  return { ...entry, scheme: null, reason };
}
