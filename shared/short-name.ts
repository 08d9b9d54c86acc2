/** Longer names are shortened where they are shown, sent to the page and matched; no real name comes near. */
export const MAX_NAME = 1024;

/** Characters kept at each end. */
const KEPT = 480;

/**
 * A name of at most MAX_NAME characters: the ends of a longer one, with its length and a checksum
 * between them, so that different names stay different. A short name is returned as it is.
 */
export function shortName(name: string): string {
  if (name.length <= MAX_NAME) return name;
  const known = shortened.get(name);
  if (known !== undefined) return known;
  const short = `${name.slice(0, KEPT)}…[${name.length} characters, ${checksum(name)}]…${name.slice(-KEPT)}`;
  if (shortened.size >= MAX_KEPT) shortened.clear();
  shortened.set(name, short);
  return short;
}

/** One long name may stand at every tensor: its checksum is computed once. */
const MAX_KEPT = 16;
const shortened = new Map<string, string>();

/** FNV-1a over UTF-16 units, as 8 hexadecimal digits. */
function checksum(text: string): string {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++)
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, '0');
}
