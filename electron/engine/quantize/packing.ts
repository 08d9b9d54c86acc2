/** Packs codes of consecutive runs into the bytes that model files store. */
export interface Packer {
  /** Bytes that are complete after these codes; newly allocated. */
  push(codes: Int32Array): Uint8Array;
  /** What is left over at the end: the last byte of an odd number of 4-bit codes. */
  end(): Uint8Array;
}

/** Little-endian two's complement; 4-bit codes two to a byte, the first in the low nibble. */
export function packerOf(bits: number): Packer {
  if (bits === 4) return nibblePacker();
  if (bits !== 8 && bits !== 16 && bits !== 32) throw new RangeError(`no packing for ${bits} bits`);
  return {
    push: (codes) => wholeBytes(codes, bits / 8),
    end: () => new Uint8Array(0),
  };
}

function wholeBytes(codes: Int32Array, width: number): Uint8Array {
  if (width === 1) return Uint8Array.from(codes);
  const bytes = new Uint8Array(codes.length * width);
  for (let index = 0; index < codes.length; index++) {
    const code = codes[index]!;
    for (let byte = 0; byte < width; byte++) bytes[index * width + byte] = code >> (8 * byte);
  }
  return bytes;
}

/** ONNX stores an odd tail with a high nibble of 0, whatever runs the codes came in. */
function nibblePacker(): Packer {
  let pending: number | null = null;
  return {
    push(codes) {
      const total = codes.length + (pending === null ? 0 : 1);
      const bytes = new Uint8Array(total >> 1);
      let low = pending;
      let at = 0;
      for (let index = 0; index < codes.length; index++) {
        const nibble = codes[index]! & 15;
        if (low === null) {
          low = nibble;
          continue;
        }
        bytes[at++] = low | (nibble << 4);
        low = null;
      }
      pending = low;
      return bytes;
    },
    end() {
      const last = pending === null ? new Uint8Array(0) : Uint8Array.of(pending);
      pending = null;
      return last;
    },
  };
}
