import type { Equalization } from '../../../../../shared/equalization.ts';
import { entryMessage, field } from '../write/messages.ts';

/** metadata_props: what says which factors were moved between weights, which exports keep. */
export const EQUALIZATION_KEY = 'quantscope.equalization';

/** ModelProto.metadata_props (onnx.proto). */
const MODEL_METADATA = 14;

/** An entry of the metadata of a model, behind the last byte of its file. */
export function notePiece({ layers }: Equalization): Buffer {
  const text = JSON.stringify({ layers, left: [] });
  const pieces = field(MODEL_METADATA, [entryMessage(EQUALIZATION_KEY, text)]);
  return Buffer.concat(pieces.map((piece) => (piece.kind === 'bytes' ? piece.bytes : Buffer.of())));
}
