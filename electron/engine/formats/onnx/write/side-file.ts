import type { ByteRange } from '../../../../../shared/model.ts';
import type { OnnxTensor } from '../read/stored.ts';
import { pieceLength, type OutputFile, type Piece } from '../../../export/layout.ts';
import type { Edit } from './edits.ts';
import { entryMessage, field, type SidePlace } from './messages.ts';

/**
 * onnxruntime maps tensors into memory where they begin on a page, which pays for large ones (it aligns
 * those over 1 MiB when it saves a model). Small ones on pages of their own would make thousands of them
 * larger than their source; they begin at a multiple of the widest element.
 */
const PAGE = 4096;
const PAGED_BYTES = 1 << 20;
const ELEMENT = 8;

/** Field numbers of TensorProto (onnx.proto). */
const RAW_DATA = 9;
const EXTERNAL_DATA = 13;
const DATA_LOCATION = 14;

/**
 * Put an external tensor that stays as it is into the model. It takes fewer bytes there than its source did:
 * raw_data and a data_location, of two fields of which the last one counts, for the entries of external_data.
 */
export function inlineExternal({ ref, stored }: OnnxTensor): Edit[] {
  const { external, frame } = stored.tensor!;
  const [range] = ref.data.ranges;
  if (external === null || range === undefined) return [];
  const inModel = Buffer.from([DATA_LOCATION * 8, 0]);
  const pieces: Piece[] = [
    ...field(RAW_DATA, [{ kind: 'copy', ...range }]),
    { kind: 'bytes', bytes: inModel },
  ];
  return [
    ...external.map(({ span }): Edit => ({ ...span, pieces: [], frame })),
    { start: frame.end, end: frame.end, pieces, frame },
  ];
}

/** The one file beside an exported model that holds what its source held outside of itself. */
export class SideFile {
  readonly name: string;
  private readonly pieces: Piece[] = [];
  private bytes = 0;
  /** Places of copied ranges, so that tensors that share a range share its copy. */
  private readonly copies = new Map<string, SidePlace>();

  constructor(targetName: string) {
    this.name = `${targetName}.data`;
  }

  /** Put a piece behind the others, aligned. */
  add(piece: Piece): SidePlace {
    const length = pieceLength(piece);
    const alignment = length > PAGED_BYTES ? PAGE : ELEMENT;
    const padding = (alignment - (this.bytes % alignment)) % alignment;
    if (padding > 0) this.pieces.push({ kind: 'bytes', bytes: new Uint8Array(padding) });
    const offset = this.bytes + padding;
    this.pieces.push(piece);
    this.bytes = offset + length;
    return { location: this.name, offset, length };
  }

  /**
   * Copy a tensor that stays as it is. Its external_data says where it is now. A checksum of the old
   * file and places of prepacked weights in it are dropped: they would be wrong. The rest of the message
   * stays byte for byte.
   */
  move({ ref, stored }: OnnxTensor): Edit[] {
    const { external, frame } = stored.tensor!;
    const [range] = ref.data.ranges;
    if (external === null || range === undefined) return [];
    const place = this.copy(range);
    const pieces = Object.entries(place).flatMap(([key, value]) =>
      field(EXTERNAL_DATA, [entryMessage(key, String(value))]),
    );
    return external.map(({ span }, at): Edit => ({
      ...span,
      pieces: at === 0 ? pieces : [],
      frame,
    }));
  }

  /** Copy a range of the source, once. */
  private copy(range: ByteRange): SidePlace {
    const key = `${range.file} ${range.offset} ${range.length}`;
    const place = this.copies.get(key) ?? this.add({ kind: 'copy', ...range });
    this.copies.set(key, place);
    return place;
  }

  /** The file, when anything is in it. */
  layout(): readonly OutputFile[] {
    return this.pieces.length === 0 ? [] : [{ name: this.name, pieces: this.pieces }];
  }
}
