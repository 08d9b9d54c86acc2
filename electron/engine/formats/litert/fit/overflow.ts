import type { PagedBytes } from '../read/paged-bytes.ts';
import type { LitertTensor } from '../read/tensors.ts';

/** The least magnitude that rounds to infinity in float16. */
const FLOAT16_OVERFLOW = 65520;

/** Bytes read at once. */
const CHUNK = 4 << 20;

const found = new WeakMap<LitertTensor, boolean>();

/**
 * Whether a float32 tensor holds finite values that float16 makes infinite, as masks of -1e30 are. Infinity
 * times 0 is NaN, and one such value spoils a model's output. Reads the values once, and remembers.
 */
export function overflowsFloat16(source: PagedBytes, tensor: LitertTensor): boolean {
  if (tensor.ref.dtype !== 'float32') return false;
  const known = found.get(tensor) ?? holdsOverflow(source, tensor);
  found.set(tensor, known);
  return known;
}

function holdsOverflow(source: PagedBytes, { ref }: LitertTensor): boolean {
  for (const { offset, length } of ref.data.ranges)
    for (let done = 0; done < length; done += CHUNK) {
      const bytes = source.read(offset + done, Math.min(CHUNK, length - done));
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      for (let at = 0; at + 4 <= bytes.byteLength; at += 4) {
        const magnitude = Math.abs(view.getFloat32(at, true));
        if (magnitude >= FLOAT16_OVERFLOW && magnitude !== Infinity) return true;
      }
    }
  return false;
}
