import { packedBytes } from '../../../../../shared/dtypes.ts';
import type { PendingDtype } from '../../../../../shared/model.ts';
import type { OnnxTensor } from '../read/stored.ts';
import type { Edit } from './edits.ts';
import { constantMessage, externalMessage, field, tensorMessage } from './messages.ts';
import { GRAPH_INITIALIZER, nodeField } from './replace-weight.ts';
import type { SideFile } from './side-file.ts';

/**
 * The edits that store the codes which a QuantizeLinear makes of a float tensor: they take the tensor's
 * place under the name of the node's output, and the node goes. Whatever takes the codes stays as it is.
 */
export function storePending(
  { ref, stored }: OnnxTensor,
  dtype: PendingDtype,
  side: SideFile,
): { readonly edits: readonly Edit[]; readonly codes: string } {
  const { record } = stored.uses.find((use) => use.isDirect)!;
  const codes = record.outputs[0]!;
  const length = packedBytes(dtype, ref.elements);
  const data = { kind: 'tensor', tensor: ref.id, part: 'codes', length } as const;
  const message =
    ref.storage === 'external'
      ? externalMessage(codes, dtype, ref.shape, side.add(data))
      : tensorMessage(codes, dtype, ref.shape, data);
  const { frame } = stored.node ?? stored.tensor!;
  const pieces =
    stored.node === null
      ? field(GRAPH_INITIALIZER, message)
      : field(nodeField(stored.graph), constantMessage(codes, message));
  const { start, end, parent } = record.frame;
  return {
    codes,
    edits: [
      { start: frame.start, end: frame.end, pieces, frame: frame.parent },
      { start, end, pieces: [], frame: parent },
    ],
  };
}
