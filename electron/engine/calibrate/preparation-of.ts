import type { ModelGraph } from '../../../shared/graph.ts';
import type { Preparation, PreparationCheck } from '../../../shared/preparation.ts';
import type { Session } from '../session.ts';
import type { Counterparts } from './counterparts.ts';

type Measured = Pick<Session, 'opened' | 'bytes'>;

/** What preparing a source changed, by its structure and the copy's. */
export function preparationOf(
  { opened: source, bytes }: Measured,
  { opened: copy, bytes: bytesAfter }: Measured,
  { sourceOf }: Counterparts,
  check: PreparationCheck,
): Preparation {
  const [before, after] = [source.graph(), copy.graph()];
  const declared = new Map(source.model.opsets.map(({ domain, version }) => [domain, version]));
  // onnxruntime imports all that it knows; exports leave out what no operator is of.
  const used = new Set(after.operators.map(({ domain }) => (domain === '' ? 'ai.onnx' : domain)));
  return {
    operators: { before: before.operators.length, after: after.operators.length },
    constants: copy.model.tensors.filter(({ id }) => !sourceOf.has(id)).length,
    normalizations: Math.max(0, normalizations(before) - normalizations(after)),
    functions: Math.max(0, (source.functionCalls?.() ?? 0) - (copy.functionCalls?.() ?? 0)),
    opsets: copy.model.opsets.filter(
      ({ domain, version }) => used.has(domain) && declared.get(domain) !== version,
    ),
    bytes: { before: bytes, after: bytesAfter },
    check,
  };
}

function normalizations({ operators }: ModelGraph): number {
  return operators.filter(({ op }) => op === 'BatchNormalization').length;
}
