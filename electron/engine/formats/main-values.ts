import type { ModelGraph } from '../../../shared/graph.ts';

/** The names of the values of the main graph that a run has: what is made there, and inputs that something takes. */
export function mainValues({ values, operators }: ModelGraph): readonly string[] {
  if (operators.length === 0) return [];
  const observed = values.filter(
    ({ graph, producer, consumers }) => graph === '' && (producer !== null || consumers.length > 0),
  );
  return [...new Set(observed.map(({ name }) => name))];
}
