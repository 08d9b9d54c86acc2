import { ENDS_EARLY } from '../../../shared/errors.ts';

const UNITS = ['kB', 'MB', 'GB', 'TB', 'PB'];

/**
 * The words for a file that is shorter than its own structure says: it was cut off while it was copied
 * or downloaded.
 * @param expected bytes that the structure asks for
 * @param found bytes that the file has
 * @param isLeast whether the file may need more than `expected`
 */
export function endsEarly(expected: number | bigint, found: number, isLeast = false): string {
  const rounded = [sizeOf(Number(expected)), sizeOf(found)];
  // Sizes that differ by little are told apart by their bytes.
  const [wanted, there] =
    rounded[0] === rounded[1] ? [`${expected} bytes`, `${found} bytes`] : rounded;
  return `${ENDS_EARLY}: ${isLeast ? 'at least ' : ''}${wanted} expected, ${there} found; copy or download it again`;
}

/** A size with one decimal, in units of 1000 bytes. */
function sizeOf(bytes: number): string {
  if (bytes < 1000) return `${bytes} bytes`;
  let value = bytes / 1000;
  let unit = 0;
  for (; value >= 999.95 && unit < UNITS.length - 1; unit++) value /= 1000;
  return `${value.toFixed(1)} ${UNITS[unit]}`;
}

/** Protobuf and FlatBuffers end at 2 GiB; what claims more is damaged rather than cut off. */
const MAX_STRUCTURE_BYTES = 2 ** 31;

/**
 * What an error adds to its summary when a structure runs past the end of the file and a valid file
 * could reach that far; nothing otherwise.
 */
export function cutOff(needed: number, found: number): string {
  const isCut = needed > found && needed <= MAX_STRUCTURE_BYTES;
  return isCut ? `: ${endsEarly(needed, found, true)}` : '';
}
