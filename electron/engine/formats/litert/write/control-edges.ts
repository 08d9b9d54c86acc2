/** The metadata entry by which operators say that one must run before another though no tensor does. */
export const CONTROL_EDGES = 'model_control_dependencies';

/** The only version of the entry there is. */
const VERSION = 1;

/**
 * The entry with its operators where an export moved them. Per subgraph a list of pairs; unsigned
 * numbers are protobuf varints, operator indices zigzag ones (tensorflow's remat/metadata_util.cc).
 * Edges of an operator that is gone go, too.
 * @returns null when the entry is not of this form
 */
export function moveControlEdges(
  bytes: Uint8Array,
  moved: (graph: number, operator: number) => number | null,
): Uint8Array | null {
  const reader = new VarintReader(bytes);
  if (reader.next() !== VERSION) return null;
  const graphs = reader.next();
  if (graphs === null) return null;
  const out: number[] = [];
  put(out, VERSION);
  put(out, graphs);
  for (let graph = 0; graph < graphs; graph++) {
    const count = reader.next();
    if (count === null) return null;
    const kept: number[] = [];
    for (let edge = 0; edge < count; edge++) {
      const [from, to] = [reader.next(), reader.next()];
      if (from === null || to === null) return null;
      const ends = [from, to].map((end) => moveZigzag(end, (index) => moved(graph, index)));
      if (ends[0] !== null && ends[1] !== null) kept.push(ends[0]!, ends[1]!);
    }
    put(out, kept.length / 2);
    for (const end of kept) put(out, end);
  }
  return reader.isDone ? Uint8Array.from(out) : null;
}

/** A zigzag number of an operator, moved; negative ones name none and stay. */
function moveZigzag(value: number, moved: (index: number) => number | null): number | null {
  if (value % 2 === 1) return value;
  const index = moved(value / 2);
  return index === null ? null : index * 2;
}

class VarintReader {
  private at = 0;
  private readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get isDone(): boolean {
    return this.at === this.bytes.length;
  }

  next(): number | null {
    let [value, scale] = [0, 1];
    while (this.at < this.bytes.length && scale < 2 ** 35) {
      const byte = this.bytes[this.at++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
    return null;
  }
}

function put(out: number[], value: number): void {
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) out.push((rest % 128) + 128);
  out.push(rest);
}
