import { makeString, makeTable, makeTables, withFields, type TableNode } from '../read/nodes.ts';
import type { NamedTensor } from '../read/signature.ts';

/** The one signature of a copy. */
export function signatureOf(
  inputs: readonly NamedTensor[],
  outputs: readonly NamedTensor[],
): TableNode {
  const maps = (named: readonly NamedTensor[]): ReturnType<typeof makeTables> =>
    makeTables(
      named.map(({ name, tensor }) =>
        withFields(makeTable('TensorMap', { name: makeString(name) }), { tensor_index: tensor }),
      ),
    );
  return makeTable('SignatureDef', {
    inputs: maps(inputs),
    outputs: maps(outputs),
    signature_key: makeString('serving_default'),
    subgraph_index: 0,
  });
}
