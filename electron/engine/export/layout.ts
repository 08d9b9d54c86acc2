import type { Scheme } from '../../../shared/recipe.ts';

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
      readonly part: 'codes' | 'scale' | 'zeroPoint';
      readonly length: number;
    };

/** What an export writes: the pieces of the file in order, and what happens to each planned tensor. */
export interface Layout {
  readonly pieces: readonly Piece[];
  readonly bytes: number;
  readonly quantized: readonly { readonly tensor: number; readonly scheme: Scheme }[];
  /** Tensors that the plan wanted to change and this format or mode cannot, or not to a profit. */
  readonly refused: readonly { readonly tensor: number; readonly reason: string }[];
}

export function pieceLength(piece: Piece): number {
  return piece.kind === 'bytes' ? piece.bytes.length : piece.length;
}

export function piecesLength(pieces: readonly Piece[]): number {
  return pieces.reduce((sum, piece) => sum + pieceLength(piece), 0);
}

/** Where each tensor piece lies in the file that the pieces make. */
export function tensorOffsets(
  pieces: readonly Piece[],
): Map<number, { codes: number; scale: number | null; zeroPoint: number | null }> {
  const places = new Map<
    number,
    { codes: number; scale: number | null; zeroPoint: number | null }
  >();
  let offset = 0;
  for (const piece of pieces) {
    if (piece.kind === 'tensor') {
      const place = places.get(piece.tensor) ?? { codes: 0, scale: null, zeroPoint: null };
      place[piece.part] = offset;
      places.set(piece.tensor, place);
    }
    offset += pieceLength(piece);
  }
  return places;
}
