import type { ScaleDtype } from '../../../shared/plan.ts';
import type { ArenaSizes, KeptOperator } from '../../../shared/exports.ts';
import type { Scheme } from '../../../shared/scheme.ts';

/**
 * How a tensor's codes lie in the file: as the tensor does, as MatMulNBits takes them, or as the tensor
 * does with zero points of 64 bits, as LiteRT has them.
 */
export type CodeLayout = 'tensor' | 'nbits' | 'litert';

/** What is stored of a quantized tensor. */
export type TensorPart = 'codes' | 'scale' | 'zeroPoint';

/** A stretch of an exported file. Its length is known before anything is read or quantized. */
export type Piece =
  | {
      readonly kind: 'copy';
      readonly file: number;
      readonly offset: number;
      readonly length: number;
    }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | {
      readonly kind: 'tensor';
      readonly tensor: number;
      readonly part: TensorPart;
      readonly length: number;
    };

/** A file that an export writes beside the model. */
export interface OutputFile {
  /** In the model's folder. */
  readonly name: string;
  readonly pieces: readonly Piece[];
}

/** What an export writes: the pieces of the file in order, and what happens to each planned tensor. */
export interface Layout {
  readonly pieces: readonly Piece[];
  /** Files in the model's folder that hold tensors outside of it, in the order in which they are put in place before it. */
  readonly beside: readonly OutputFile[];
  /** Of all that is written. */
  readonly bytes: number;
  readonly quantized: readonly {
    readonly tensor: number;
    readonly scheme: Scheme;
    readonly codes: CodeLayout;
    /** The type of the stored scales where it is not float32. */
    readonly scaleDtype?: ScaleDtype;
    /** Bytes of its codes, scales and zero points; schemeBytes where it is missing. */
    readonly storedBytes?: number;
    /** Whether finite values beyond the type of a cast become infinite. */
    readonly mayOverflow?: true;
    /** Why the scheme is not the plan's, where the format tells. */
    readonly reason?: string | null;
  }[];
  /** Tensors that the plan wanted to change and this format or mode cannot, or not to a profit. */
  readonly refused: readonly { readonly tensor: number; readonly reason: string }[];
  /** Mode static: why the layout carries out nothing of the plan; missing where it does. */
  readonly idle?: string;
  /** In modes that run operators on codes: how many do. */
  readonly integerOperators?: number;
  /** LiteRT, mode static: bytes of memory for the values between operators. */
  readonly arena?: ArenaSizes;
  /** ONNX: bytes of what exporters note of nodes, values and tensors, which a recipe may leave out. */
  readonly exporterMetadata?: () => number;
  /** ONNX: the version of ai.onnx that the written file has. */
  readonly opset?: number;
  /** ONNX: whether the written file has operators of com.microsoft. */
  readonly usesMicrosoft?: boolean;
  /** Operators whose arithmetic the mode would change and that stay as they are. */
  readonly operators?: readonly KeptOperator[];
}

export function pieceLength(piece: Piece): number {
  return piece.kind === 'bytes' ? piece.bytes.length : piece.length;
}

export function piecesLength(pieces: readonly Piece[]): number {
  return pieces.reduce((sum, piece) => sum + pieceLength(piece), 0);
}

/** Where the parts of each tensor lie in the file that the pieces make. */
export function tensorOffsets(
  pieces: readonly Piece[],
): { readonly tensor: number; readonly part: TensorPart; readonly offset: number }[] {
  const places: { tensor: number; part: TensorPart; offset: number }[] = [];
  let offset = 0;
  for (const piece of pieces) {
    if (piece.kind === 'tensor') places.push({ tensor: piece.tensor, part: piece.part, offset });
    offset += pieceLength(piece);
  }
  return places;
}
