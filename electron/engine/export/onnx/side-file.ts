import type { OnnxTensor } from '../../formats/onnx/tensors.ts';
import { pieceLength, type OutputFile, type Piece } from '../layout.ts';
import type { Edit } from './edits.ts';
import { entryMessage, field } from './messages.ts';

/** Where a tensor lies in the side file, as the entries of external_data say it. */
export interface SidePlace {
  readonly location: string;
  readonly offset: number;
  readonly length: number;
}

/** onnxruntime maps tensors into memory where they begin on a page. */
const ALIGNMENT = 4096;

/** TensorProto.external_data */
const EXTERNAL_DATA = 13;

/** The one file beside an exported model that holds what its source held outside of itself. */
export class SideFile {
  readonly name: string;
  private readonly pieces: Piece[] = [];
  private bytes = 0;

  constructor(targetName: string) {
    this.name = `${targetName}.data`;
  }

  /** Put a piece at the next page. */
  add(piece: Piece): SidePlace {
    const padding = (ALIGNMENT - (this.bytes % ALIGNMENT)) % ALIGNMENT;
    if (padding > 0) this.pieces.push({ kind: 'bytes', bytes: new Uint8Array(padding) });
    const offset = this.bytes + padding;
    const length = pieceLength(piece);
    this.pieces.push(piece);
    this.bytes = offset + length;
    return { location: this.name, offset, length };
  }

  /**
   * Copy a tensor that stays as it is. Its external_data says where it is now; its other entries,
   * and the rest of the message, stay byte for byte.
   */
  move({ ref, stored }: OnnxTensor): Edit[] {
    const { external, frame } = stored.tensor!;
    const [range] = ref.data.ranges;
    if (external === null || range === undefined) return [];
    const place = this.add({ kind: 'copy', ...range });
    const moved = external.filter(({ key }) => Object.hasOwn(place, key));
    const pieces = Object.entries(place).flatMap(([key, value]) =>
      field(EXTERNAL_DATA, [entryMessage(key, String(value))]),
    );
    return moved.map(({ span }, at): Edit => ({ ...span, pieces: at === 0 ? pieces : [], frame }));
  }

  /** The file, when anything is in it. */
  layout(): readonly OutputFile[] {
    return this.pieces.length === 0 ? [] : [{ name: this.name, pieces: this.pieces }];
  }
}
